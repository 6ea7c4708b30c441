//! A websocket in memory that keeps what is said on it.

use futures::channel::mpsc::{unbounded, SendError, UnboundedReceiver, UnboundedSender};
use futures::{Sink, Stream};
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Who said it, and the text.
pub type Said = (&'static str, String);

/// One end, for messages of type `M`. It never fails, but its users expect that it could, with `E`.
pub struct End<M, E> {
    name: &'static str,
    said: UnboundedSender<Said>,
    outgoing: UnboundedSender<Result<M, E>>,
    incoming: UnboundedReceiver<Result<M, E>>,
}

/// Two ends that are connected, and what they say, in order: it ends when both are dropped.
pub fn connect<M, E>(
    near: &'static str,
    far: &'static str,
) -> (End<M, E>, End<M, E>, UnboundedReceiver<Said>) {
    let (said, record) = unbounded();
    let (to_far, from_near) = unbounded();
    let (to_near, from_far) = unbounded();
    let near = End {
        name: near,
        said: said.clone(),
        outgoing: to_far,
        incoming: from_far,
    };
    let far = End {
        name: far,
        said,
        outgoing: to_near,
        incoming: from_near,
    };
    (near, far, record)
}

impl<M, E> Stream for End<M, E> {
    type Item = Result<M, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.incoming).poll_next(context)
    }
}

impl<M: Display, E> Sink<M> for End<M, E> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), SendError> {
        self.said
            .unbounded_send((self.name, message.to_string()))
            .map_err(|error| error.into_send_error())?;
        self.outgoing
            .unbounded_send(Ok(message))
            .map_err(|error| error.into_send_error())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }
}
