//! Text messages as the crate writes them, and its verdict on texts that others could write.

use super::request_text;
use anyhow::Result;
use nym_gateway_requests::{
    BandwidthResponse, ClientControlRequest, RegistrationHandshake, SendResponse, ServerResponse,
    SimpleGatewayRequestsError, CURRENT_PROTOCOL_VERSION,
};
use serde_json::{json, Value};

/// The five sections about them.
pub fn sections() -> Result<Value> {
    let payload = RegistrationHandshake::new_payload(vec![0, 1, 255], CURRENT_PROTOCOL_VERSION);
    let error = RegistrationHandshake::new_error("boom \"quoted\"");
    Ok(json!({
        "handshake_texts": [
            {"name": "HandshakePayload", "json": String::from(payload)},
            {"name": "HandshakeError", "json": String::from(error)},
        ],
        "text_requests": requests()?,
        "text_request_parsing": REQUESTS.map(|text| verdict(text, reserialised_request(text))),
        "text_responses": responses()?,
        "text_response_parsing": RESPONSES.map(|text| verdict(text, reserialised_response(text))),
    }))
}

fn requests() -> Result<Vec<Value>> {
    use ClientControlRequest as Request;

    let bytes = || vec![237, 240, 233, 29];
    let text = |text: &str| text.to_owned();
    let authenticate = |protocol_version| Request::Authenticate {
        protocol_version,
        address: text("addr"),
        enc_address: text("enc"),
        iv: text("iv"),
    };
    let cases = [
        ("", Request::SupportedProtocol {}),
        ("", Request::ClaimFreeTestnetBandwidth),
        (
            " (as the enum serialises; NOT what a client sends)",
            Request::RegisterHandshakeInitRequest {
                protocol_version: CURRENT_PROTOCOL_VERSION,
                data: bytes(),
            },
        ),
        (
            "",
            Request::EcashCredential {
                enc_credential: bytes(),
                nonce: (1..=12).collect(),
            },
        ),
        ("", Request::new_upgrade_mode_jwt(text("aaa.bbb.ccc"))),
        (
            "",
            Request::EncryptedRequest {
                ciphertext: bytes(),
                nonce: vec![0; 12],
            },
        ),
        (" (legacy v1, rejected by gateways)", authenticate(Some(3))),
        (" (legacy v1, no version)", authenticate(None)),
        (
            " (legacy)",
            Request::BandwidthCredential {
                enc_credential: bytes(),
                iv: vec![1],
            },
        ),
        (
            " (legacy)",
            Request::BandwidthCredentialV2 {
                enc_credential: bytes(),
                iv: vec![1],
            },
        ),
    ];
    cases
        .into_iter()
        .map(|(remark, request)| {
            let rust_name = request.name();
            Ok(json!({
                "name": format!("{rust_name}{remark}"),
                "rust_name": rust_name,
                "json": request_text(request)?,
            }))
        })
        .collect()
}

fn responses() -> Result<Vec<Value>> {
    let authenticate = |status, upgrade_mode| ServerResponse::Authenticate {
        protocol_version: CURRENT_PROTOCOL_VERSION,
        status,
        bandwidth_remaining: 0,
        upgrade_mode,
    };
    let register = |status| ServerResponse::Register {
        protocol_version: CURRENT_PROTOCOL_VERSION,
        status,
        upgrade_mode: false,
    };
    let refused = |error| ServerResponse::TypedError { error };
    let cases = [
        ("", authenticate(true, false)),
        (" in upgrade mode", authenticate(true, true)),
        (" refused", authenticate(false, false)),
        ("", register(true)),
        (" refused", register(false)),
        (
            "",
            ServerResponse::EncryptedResponse {
                ciphertext: vec![1, 2, 3],
                nonce: vec![0; 12],
            },
        ),
        (
            "",
            ServerResponse::Bandwidth(BandwidthResponse {
                available_total: 1 << 36,
                upgrade_mode: false,
            }),
        ),
        (
            "",
            ServerResponse::Send(SendResponse {
                remaining_bandwidth: (1 << 36) - 2413,
                upgrade_mode: false,
            }),
        ),
        (
            "",
            ServerResponse::SupportedProtocol {
                version: CURRENT_PROTOCOL_VERSION,
            },
        ),
        ("", ServerResponse::new_error("something failed")),
        (
            " OutOfBandwidth",
            refused(SimpleGatewayRequestsError::OutOfBandwidth {
                required: 2413,
                available: -7,
            }),
        ),
        (
            " TicketReplay",
            refused(SimpleGatewayRequestsError::TicketReplay),
        ),
    ];
    cases
        .into_iter()
        .map(|(remark, response)| {
            Ok(json!({
                "name": format!("{}{remark}", response.name()),
                "json": serde_json::to_string(&response)?,
                "is_error": response.is_error(),
                "implies_successful_authentication": response.implies_successful_authentication(),
            }))
        })
        .collect()
}

/// Requests that a gateway could be sent: other fields, aliases, defaults, wrong types.
const REQUESTS: [&str; 17] = [
    r#"{"type":"supportedProtocol"}"#,
    r#"{"type":"supportedProtocol","x":1}"#,
    r#"{"type":"claimFreeTestnetBandwidth","x":1}"#,
    r#"{"type":"handshakePayload","protocol_version":6,"data":[1,2]}"#,
    r#"{"type":"handshakePayload","data":[1,2]}"#,
    r#"{"type":"registerHandshakeInitRequest","protocol_version":6,"data":[1]}"#,
    r#"{"type":"handshakePayload","protocol_version":null,"data":[1,2]}"#,
    r#"{"type":"handshakePayload","protocol_version":256,"data":[1,2]}"#,
    r#"{"type":"handshakePayload","protocol_version":6}"#,
    r#"{"type":"ecashCredential","enc_credential":[1],"nonce":[2]}"#,
    r#"{"type":"ecashCredential","enc_credential":[1],"iv":[2]}"#,
    r#"{"type":"authenticate","address":"a","enc_address":"b","iv":"c"}"#,
    r#"{"type":"upgradeModeJwt","token":"t"}"#,
    r#"{"type":"upgradeModeJWT","token":"t"}"#,
    r#"{"type":"handshakePayload","protocol_version":6,"data":"AQI="}"#,
    r#"{"type":"unknown"}"#,
    r#"{"data":[1,2]}"#,
];

/// Responses that a client could be sent, likewise.
const RESPONSES: [&str; 17] = [
    r#"{"type":"authenticate","status":true,"bandwidth_remaining":5}"#,
    r#"{"type":"register","status":true}"#,
    r#"{"type":"send","remaining_bandwidth":5,"extra":1}"#,
    r#"{"type":"Send","remaining_bandwidth":5}"#,
    r#"{"type":"bandwidth"}"#,
    r#"{"remaining_bandwidth":5,"type":"send"}"#,
    r#"{"type":"typedError","error":"ticket_replay"}"#,
    r#"{"type":"typedError","error":{"out_of_bandwidth":{"required":1,"available":2}}}"#,
    r#"{"type":"typedError","error":{"new_kind":{}}}"#,
    r#"{"type":"authenticate","protocol_version":300,"status":true,"bandwidth_remaining":5}"#,
    r#"{"type":"authenticate","protocol_version":null,"status":true,"bandwidth_remaining":5}"#,
    r#"{"type":"authenticate","status":"true","bandwidth_remaining":5}"#,
    r#"{"type":"newResponse"}"#,
    "not json",
    r#"{"type":"send","remaining_bandwidth":5.0}"#,
    r#"{"type":"send","remaining_bandwidth":9223372036854775808}"#,
    r#"{"type":"encryptedResponse","ciphertext":[256],"nonce":[]}"#,
];

fn reserialised_request(text: &str) -> Option<String> {
    let request: ClientControlRequest = text.parse().ok()?;
    request_text(request).ok()
}

fn reserialised_response(text: &str) -> Option<String> {
    let response = ServerResponse::try_from(text.to_owned()).ok()?;
    serde_json::to_string(&response).ok()
}

fn verdict(text: &str, reserialised: Option<String>) -> Value {
    json!({"text": text, "ok": reserialised.is_some(), "reserialised": reserialised})
}
