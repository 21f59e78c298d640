//! Connections that are there, with a channel each, and do nothing but live.

use tokio::task::JoinSet;
use warren_client::{Connection, Error};

use crate::crew::{News, Seat, Stage};

pub(crate) async fn run(mut seat: Seat, count: usize) -> Result<(), Error> {
    let mut connections = Vec::with_capacity(count);
    for place in 0..count {
        let mut connection = seat
            .connect(&format!("bench idle {}-{place}", seat.thread))
            .await?;
        connection.open_channel(1).await?;
        connections.push(connection);
    }
    seat.tell(News::Ready);
    let mut living = JoinSet::new();
    for connection in connections {
        living.spawn_local(live(connection));
    }
    loop {
        tokio::select! {
            () = seat.wait(Stage::Stop) => return Ok(()),
            Some(over) = living.join_next() => {
                // One that panicked said so itself.
                if let Ok(Err(error)) = over {
                    return Err(error);
                }
            }
        }
    }
}

async fn live(mut connection: Connection) -> Result<(), Error> {
    loop {
        connection.turn(&[]).await?;
        connection.receive(|_| {})?;
    }
}
