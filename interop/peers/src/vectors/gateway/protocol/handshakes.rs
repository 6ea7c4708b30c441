//! Registration handshakes between the client's and the gateway's half of the crate.

use super::connection::{connect, Said};
use crate::line::{self, ChaCha20Rng, RngCore};
use crate::vectors::support::join;
use anyhow::{bail, ensure, Context, Result};
use futures::StreamExt;
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_gateway_requests::registration::handshake::{
    client_handshake, error::HandshakeError, gateway_handshake, HandshakeResult, KDF_SALT_LENGTH,
};
use nym_gateway_requests::{
    ClientControlRequest, GatewayProtocolVersion, RegistrationHandshake, CURRENT_PROTOCOL_VERSION,
};
use nym_task::ShutdownToken;
use serde_json::{json, Value};

struct Case {
    name: &'static str,
    proposed: GatewayProtocolVersion,
    /// Whether the client expects the identity that the gateway has.
    expected: bool,
}

const CASES: [Case; 5] = [
    case("current_protocol", CURRENT_PROTOCOL_VERSION, true),
    case("older_protocol_5", 5, true),
    case("older_protocol_4", 4, true),
    case(
        "client_proposes_future_version_gateway_downgrades",
        CURRENT_PROTOCOL_VERSION + 42,
        true,
    ),
    case(
        "client_detects_wrong_gateway_identity",
        CURRENT_PROTOCOL_VERSION,
        false,
    ),
];

const fn case(name: &'static str, proposed: GatewayProtocolVersion, expected: bool) -> Case {
    Case {
        name,
        proposed,
        expected,
    }
}

/// The section `handshakes`.
pub async fn cases(random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let mut made = Vec::new();
    for case in CASES {
        let made_case = run(&case, random).await;
        made.push(made_case.with_context(|| format!("handshake {}", case.name))?);
    }
    Ok(made)
}

/// What one side brings along. Its generator is at the start: the handshake draws from it first the
/// ephemeral secret, and then, at the client, the salt.
struct Side {
    identity: ed25519::KeyPair,
    random: ChaCha20Rng,
}

impl Side {
    fn new(random: &mut ChaCha20Rng) -> Result<Self> {
        Ok(Self {
            identity: ed25519::KeyPair::new(random),
            random: line::forked(random)?,
        })
    }

    /// The ephemeral secret and the salt that a handshake will draw.
    fn foresee(&self) -> (x25519::KeyPair, [u8; KDF_SALT_LENGTH]) {
        let mut random = self.random.clone();
        let ephemeral = x25519::KeyPair::new(&mut random);
        let mut salt = [0; KDF_SALT_LENGTH];
        random.fill_bytes(&mut salt);
        (ephemeral, salt)
    }
}

async fn run(case: &Case, random: &mut ChaCha20Rng) -> Result<Value> {
    let mut client = Side::new(random)?;
    let mut gateway = Side::new(random)?;
    let expected = match case.expected {
        true => *gateway.identity.public_key(),
        false => *ed25519::KeyPair::new(random).public_key(),
    };
    let inputs = inputs(case, &client, &gateway, &expected);
    let (said, outcomes) = shake_hands(case, &mut client, &mut gateway, expected).await?;
    let texts = json!({
        "messages": said.iter().map(|(from, text)| json!({"from": from, "text": text}))
            .collect::<Vec<_>>(),
        "messages_decoded": said.iter().map(decoded).collect::<Result<Vec<_>>>()?,
    });
    Ok(join([inputs, texts, outcome(case, outcomes)?]))
}

fn inputs(case: &Case, client: &Side, gateway: &Side, expected: &ed25519::PublicKey) -> Value {
    let (client_ephemeral, salt) = client.foresee();
    let (gateway_ephemeral, _) = gateway.foresee();
    let shared = client_ephemeral
        .private_key()
        .diffie_hellman(gateway_ephemeral.public_key());
    json!({
        "name": case.name,
        "client_proposed_protocol": case.proposed,
        "client_identity_secret": hex::encode(client.identity.private_key().to_bytes()),
        "client_identity_public": hex::encode(client.identity.public_key().to_bytes()),
        "client_ephemeral_secret": hex::encode(client_ephemeral.private_key().to_bytes()),
        "client_ephemeral_public": hex::encode(client_ephemeral.public_key().to_bytes()),
        "initiator_salt": hex::encode(salt),
        "gateway_identity_secret": hex::encode(gateway.identity.private_key().to_bytes()),
        "gateway_identity_public": hex::encode(gateway.identity.public_key().to_bytes()),
        "gateway_identity_expected_by_client": hex::encode(expected.to_bytes()),
        "gateway_ephemeral_secret": hex::encode(gateway_ephemeral.private_key().to_bytes()),
        "gateway_ephemeral_public": hex::encode(gateway_ephemeral.public_key().to_bytes()),
        "dh_shared_secret": hex::encode(shared),
    })
}

type Outcome = Result<HandshakeResult, HandshakeError>;

async fn shake_hands(
    case: &Case,
    client: &mut Side,
    gateway: &mut Side,
    expected: ed25519::PublicKey,
) -> Result<(Vec<Said>, (Outcome, Outcome))> {
    let (mut near, mut far, said) = connect("client", "gateway");
    let client_half = client_handshake(
        &mut client.random,
        &mut near,
        &client.identity,
        expected,
        case.proposed,
        ShutdownToken::default(),
    );
    let gateway_half = async {
        // A gateway reads the first text as it reads every request, and starts then.
        let first = far.next().await.context("the client said nothing")??;
        let request = ClientControlRequest::try_from(first.to_string())?;
        let ClientControlRequest::RegisterHandshakeInitRequest {
            protocol_version,
            data,
        } = request
        else {
            bail!("the client asked for {}", request.name())
        };
        let token = ShutdownToken::default();
        let half = gateway_handshake(
            &mut gateway.random,
            &mut far,
            &gateway.identity,
            data,
            protocol_version,
            token,
        );
        anyhow::Ok(half.await)
    };
    let (client_outcome, gateway_outcome) = tokio::join!(client_half, gateway_half);
    let outcomes = (client_outcome, gateway_outcome?);
    drop((near, far));
    Ok((said.collect().await, outcomes))
}

fn decoded((from, text): &Said) -> Result<Value> {
    Ok(match text.parse::<RegistrationHandshake>()? {
        RegistrationHandshake::HandshakePayload {
            protocol_version,
            data,
        } => json!({
            "from": from,
            "protocol_version": protocol_version,
            "data": hex::encode(data),
            "error": null,
        }),
        RegistrationHandshake::HandshakeError { message } => json!({
            "from": from,
            "protocol_version": null,
            "data": null,
            "error": message,
        }),
    })
}

fn outcome(case: &Case, outcomes: (Outcome, Outcome)) -> Result<Value> {
    Ok(match outcomes {
        (Ok(client), Ok(gateway)) => {
            ensure!(case.expected, "the client took another gateway");
            ensure!(client == gateway, "the two sides differ");
            json!({
                "negotiated_protocol": client.negotiated_protocol,
                "shared_key": hex::encode(client.derived_key.as_bytes()),
                "shared_key_base58": client.derived_key.to_base58_string(),
                "shared_key_blake3_digest": hex::encode(client.derived_key.digest()),
            })
        }
        (Err(client), Err(gateway)) => {
            ensure!(!case.expected, "failed: {client}; {gateway}");
            json!({
                "client_error": client.to_string(),
                "gateway_error": gateway.to_string(),
            })
        }
        (client, gateway) => bail!("one side only: {client:?}, {gateway:?}"),
    })
}
