//! Both ends of nym-noise, over TCP, with us in between.
//!
//! We answer the real initiator as its responder, ask the real responder as its initiator, and
//! carry every message over with the header that came with it. So nym-noise itself decides whether
//! our parameters are its own, and what stands in front of a message.

use super::{Datum, Keys, Side, LONGEST_MESSAGE, TURNS};
use anyhow::{ensure, Context, Result};
use nym_noise::config::{
    NoiseConfig, NoiseNetworkView, NoiseNode, NoiseVersion, VersionedNoiseKeyV1,
};
use nym_noise::connection::Connection;
use nym_noise::{upgrade_noise_initiator, upgrade_noise_responder};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What stands in front of a message; the length of the message is in bytes 3 and 4.
pub type Header = [u8; 8];

const TIMEOUT: Duration = Duration::from_secs(10);

/// The headers of a handshake and of these data frames, in order.
pub async fn headers(keys: &Keys, data: &[Datum]) -> Result<Vec<Header>> {
    let front = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let back = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (front_address, back_address) = (front.local_addr()?, back.local_addr()?);
    let conversation = async {
        tokio::try_join!(
            initiate(front_address, keys, data),
            respond(back, keys, data),
            carry(front, back_address, keys, data),
        )
    };
    let (_, _, headers) = tokio::time::timeout(TIMEOUT, conversation)
        .await
        .context("nym-noise does not answer")??;
    Ok(headers)
}

fn config(keys: &Keys, side: Side) -> NoiseConfig {
    let key = VersionedNoiseKeyV1 {
        supported_version: NoiseVersion::V1,
        x25519_pubkey: *keys.pair(Side::Responder).public_key(),
    };
    let nodes = HashMap::from([(Ipv4Addr::LOCALHOST.into(), NoiseNode::new_nym_node(key))]);
    NoiseConfig::new(
        Arc::new(keys.pair(side)),
        NoiseNetworkView::new(nodes),
        TIMEOUT,
    )
}

async fn initiate(address: SocketAddr, keys: &Keys, data: &[Datum]) -> Result<()> {
    let connection = TcpStream::connect(address).await?;
    let connection = upgrade_noise_initiator(connection, &config(keys, Side::Initiator)).await?;
    converse(connection, Side::Initiator, data).await
}

async fn respond(listener: TcpListener, keys: &Keys, data: &[Datum]) -> Result<()> {
    let (connection, _) = listener.accept().await?;
    let connection = upgrade_noise_responder(connection, &config(keys, Side::Responder)).await?;
    converse(connection, Side::Responder, data).await
}

/// Send our own data, one frame each, and expect that of the other side.
async fn converse(mut connection: Connection<TcpStream>, side: Side, data: &[Datum]) -> Result<()> {
    ensure!(connection.is_noise(), "nym-noise fell back to plain TCP");
    for Datum { from, plaintext } in data {
        if *from == side {
            let length = connection.write(plaintext).await?;
            ensure!(length == plaintext.len(), "nym-noise split a frame");
            connection.flush().await?;
            continue;
        }
        // One byte more than comes, because an empty frame is read as nothing, like an end.
        let mut received = vec![0; plaintext.len() + 1];
        let length = connection.read(&mut received).await?;
        ensure!(
            received[..length] == plaintext[..],
            "nym-noise read something else"
        );
    }
    Ok(())
}

async fn carry(
    front: TcpListener,
    back: SocketAddr,
    keys: &Keys,
    data: &[Datum],
) -> Result<Vec<Header>> {
    let (mut initiator, _) = front.accept().await?;
    let mut responder = TcpStream::connect(back).await?;
    let mut answering = keys.handshake(Side::Responder, None)?;
    let mut asking = keys.handshake(Side::Initiator, None)?;
    let mut plaintext = vec![0; LONGEST_MESSAGE];
    let mut message = vec![0; LONGEST_MESSAGE];
    let mut headers = Vec::new();
    for from in TURNS {
        let (source, reader, target, writer) = match from {
            Side::Initiator => (&mut initiator, &mut answering, &mut responder, &mut asking),
            Side::Responder => (&mut responder, &mut asking, &mut initiator, &mut answering),
        };
        let (header, body) = read_frame(source).await?;
        reader.read_message(&body, &mut plaintext)?;
        let length = writer.write_message(&[], &mut message)?;
        headers.push(write_frame(target, header, &message[..length], body.len()).await?);
    }
    let mut answering = answering.into_transport_mode()?;
    let mut asking = asking.into_transport_mode()?;
    for datum in data {
        let (source, reader, target, writer) = match datum.from {
            Side::Initiator => (&mut initiator, &mut answering, &mut responder, &mut asking),
            Side::Responder => (&mut responder, &mut asking, &mut initiator, &mut answering),
        };
        let (header, body) = read_frame(source).await?;
        let length = reader.read_message(&body, &mut plaintext)?;
        ensure!(
            plaintext[..length] == datum.plaintext,
            "nym-noise sent something else"
        );
        let length = writer.write_message(&datum.plaintext, &mut message)?;
        headers.push(write_frame(target, header, &message[..length], body.len()).await?);
    }
    Ok(headers)
}

async fn read_frame(source: &mut TcpStream) -> Result<(Header, Vec<u8>)> {
    let mut header = [0; 8];
    source.read_exact(&mut header).await?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    source.read_exact(&mut body).await?;
    Ok((header, body))
}

async fn write_frame(
    target: &mut TcpStream,
    header: Header,
    message: &[u8],
    length: usize,
) -> Result<Header> {
    ensure!(
        message.len() == length,
        "a message of another length than nym-noise's"
    );
    target.write_all(&[&header[..], message].concat()).await?;
    Ok(header)
}
