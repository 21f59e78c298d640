//! The program under lapin, a client that people use.

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicQosOptions, ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ExchangeKind,
};
use tokio_stream::StreamExt;
use warren_testkit::peer::PATIENCE;

use crate::program::{Program, start, wait_for};

/// A connection and a channel of it in confirm mode.
async fn connect(program: &Program) -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&program.uri(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    (connection, channel)
}

async fn declare(channel: &Channel, queue: &str) {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await
        .unwrap();
}

async fn declare_exchange(channel: &Channel, name: &str, kind: ExchangeKind) {
    let options = ExchangeDeclareOptions::default();
    channel
        .exchange_declare(name.into(), kind, options, FieldTable::default())
        .await
        .unwrap();
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str, arguments: FieldTable) {
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.into(), exchange.into(), key.into(), options, arguments)
        .await
        .unwrap();
}

/// Publishes, mandatory, and answers what the broker says to it.
async fn publish(channel: &Channel, exchange: &str, key: &str, body: &[u8]) -> Confirmation {
    publish_with(channel, exchange, key, body, BasicProperties::default()).await
}

async fn publish_with(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Confirmation {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let confirm = channel
        .basic_publish(exchange.into(), key.into(), options, body, properties)
        .await;
    tokio::time::timeout(PATIENCE, confirm.unwrap())
        .await
        .unwrap()
        .unwrap()
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await
        .unwrap()
}

async fn next(consumer: &mut Consumer) -> lapin::message::Delivery {
    let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
    next.expect("a delivery").unwrap().unwrap()
}

/// The body of a message that is taken, if there is one.
async fn get(channel: &Channel, queue: &str) -> Option<Vec<u8>> {
    let got = channel
        .basic_get(queue.into(), BasicGetOptions { no_ack: true })
        .await
        .unwrap();
    got.map(|message| message.delivery.data)
}

fn table<const N: usize>(fields: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in fields {
        table.insert(name.into(), value);
    }
    table
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

#[tokio::test]
async fn messages_go_through_with_their_properties() {
    let program = start(&[]);
    let (connection, channel) = connect(&program).await;
    declare(&channel, "q").await;
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_correlation_id("c-1".into())
        .with_priority(3)
        .with_headers(table([("n", AMQPValue::LongLongInt(-7)), ("t", text("x"))]));
    let confirmed = publish_with(&channel, "", "q", b"hello", properties.clone()).await;
    assert_eq!(confirmed, Confirmation::Ack(None));
    let mut consumer = consume(&channel, "q").await;
    let delivery = next(&mut consumer).await;
    assert_eq!(
        (delivery.data.as_slice(), delivery.redelivered),
        (&b"hello"[..], false)
    );
    assert_eq!(
        (delivery.exchange.as_str(), delivery.routing_key.as_str()),
        ("", "q")
    );
    assert_eq!(delivery.properties, properties);
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
    let (_connection, channel) = connect(&program).await;
    assert_eq!(
        get(&channel, "q").await,
        None,
        "what was acknowledged does not come again"
    );
}

#[tokio::test]
async fn prefetch_holds_back_and_nack_brings_back() {
    let program = start(&[]);
    let (_connection, channel) = connect(&program).await;
    declare(&channel, "q").await;
    for body in [b"1", b"2", b"3"] {
        publish(&channel, "", "q", body).await;
    }
    let qos = BasicQosOptions::default();
    channel.basic_qos(2, qos).await.unwrap();
    let mut consumer = consume(&channel, "q").await;
    let (first, second) = (next(&mut consumer).await, next(&mut consumer).await);
    assert_eq!(
        (first.data.as_slice(), second.data.as_slice()),
        (&b"1"[..], &b"2"[..])
    );
    // The third is still in the queue: another channel gets it.
    let (_other, observer) = connect(&program).await;
    assert_eq!(get(&observer, "q").await.as_deref(), Some(&b"3"[..]));
    let requeue = BasicNackOptions {
        requeue: true,
        multiple: false,
    };
    first.nack(requeue).await.unwrap();
    let again = next(&mut consumer).await;
    assert_eq!((again.data.as_slice(), again.redelivered), (&b"1"[..], true));
    let multiple = BasicAckOptions { multiple: true };
    again.ack(multiple).await.unwrap();
    assert_eq!(get(&observer, "q").await, None);
}

#[tokio::test]
async fn what_no_queue_takes_comes_back_if_mandatory() {
    let program = start(&[]);
    let (_connection, channel) = connect(&program).await;
    let confirmed = publish(&channel, "amq.topic", "to.nobody", b"lost?").await;
    assert!(confirmed.is_ack());
    let returned = confirmed.take_message().unwrap();
    assert_eq!(
        (returned.reply_code, returned.reply_text.as_str()),
        (312, "NO_ROUTE")
    );
    assert_eq!(returned.delivery.data, b"lost?");
    assert_eq!(returned.delivery.exchange.as_str(), "amq.topic");
    assert_eq!(returned.delivery.routing_key.as_str(), "to.nobody");
}

#[tokio::test]
async fn topic_and_headers_exchanges_route() {
    let program = start(&[]);
    let (_connection, channel) = connect(&program).await;
    for queue in ["star", "hash", "all", "any"] {
        declare(&channel, queue).await;
    }
    declare_exchange(&channel, "t", ExchangeKind::Topic).await;
    bind(&channel, "star", "t", "a.*.c", FieldTable::default()).await;
    bind(&channel, "hash", "t", "a.#", FieldTable::default()).await;
    for key in ["a.b.c", "a", "a.b.b.c"] {
        assert_eq!(
            publish(&channel, "t", key, key.as_bytes()).await,
            Confirmation::Ack(None)
        );
    }
    assert!(publish(&channel, "t", "b", b"").await.take_message().is_some());
    assert_eq!(get(&channel, "star").await.as_deref(), Some(&b"a.b.c"[..]));
    assert_eq!(get(&channel, "star").await, None);
    for key in ["a.b.c", "a", "a.b.b.c"] {
        assert_eq!(get(&channel, "hash").await.as_deref(), Some(key.as_bytes()));
    }

    declare_exchange(&channel, "h", ExchangeKind::Headers).await;
    let (red, big) = (("colour", text("red")), ("size", AMQPValue::LongInt(9)));
    let matching = |how| ("x-match", text(how));
    bind(
        &channel,
        "all",
        "h",
        "",
        table([matching("all"), red.clone(), big.clone()]),
    )
    .await;
    bind(
        &channel,
        "any",
        "h",
        "",
        table([matching("any"), red.clone(), big.clone()]),
    )
    .await;
    let with = |headers| BasicProperties::default().with_headers(headers);
    publish_with(&channel, "h", "", b"both", with(table([red.clone(), big]))).await;
    publish_with(&channel, "h", "", b"one", with(table([red]))).await;
    assert_eq!(get(&channel, "all").await.as_deref(), Some(&b"both"[..]));
    assert_eq!(get(&channel, "all").await, None);
    assert_eq!(get(&channel, "any").await.as_deref(), Some(&b"both"[..]));
    assert_eq!(get(&channel, "any").await.as_deref(), Some(&b"one"[..]));
}

#[tokio::test]
async fn exchanges_route_to_exchanges() {
    let program = start(&[]);
    let (_connection, channel) = connect(&program).await;
    declare(&channel, "q").await;
    declare_exchange(&channel, "in", ExchangeKind::Topic).await;
    declare_exchange(&channel, "out", ExchangeKind::Fanout).await;
    let (options, none) = (ExchangeBindOptions::default(), FieldTable::default());
    channel
        .exchange_bind("out".into(), "in".into(), "x.#".into(), options, none.clone())
        .await
        .unwrap();
    bind(&channel, "q", "out", "", none.clone()).await;
    bind(&channel, "q", "in", "x.y", none).await;
    publish(&channel, "in", "x.y", b"by two ways").await;
    assert_eq!(get(&channel, "q").await.as_deref(), Some(&b"by two ways"[..]));
    assert_eq!(get(&channel, "q").await, None, "a queue gets a message once");
    assert!(publish(&channel, "in", "y", b"").await.take_message().is_some());
}

#[tokio::test]
async fn a_large_message_is_whole() {
    let program = start(&[]);
    let (_connection, channel) = connect(&program).await;
    declare(&channel, "q").await;
    let body: Vec<u8> = (0..1024 * 1024_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    assert_eq!(publish(&channel, "", "q", &body).await, Confirmation::Ack(None));
    let mut consumer = consume(&channel, "q").await;
    assert!(next(&mut consumer).await.data == body);
    assert_eq!(publish(&channel, "", "q", b"").await, Confirmation::Ack(None));
    assert_eq!(next(&mut consumer).await.data, b"");
}

#[tokio::test]
async fn ten_thousand_messages_stay_in_order() {
    const MESSAGES: u32 = 10_000;
    let program = start(&[]);
    let (_publishing, publisher) = connect(&program).await;
    let (_consuming, channel) = connect(&program).await;
    declare(&channel, "q").await;
    channel.basic_qos(500, BasicQosOptions::default()).await.unwrap();
    let mut consumer = consume(&channel, "q").await;
    let publishing = tokio::spawn(async move {
        let mut confirms = Vec::new();
        for number in 0..MESSAGES {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            let body = number.to_be_bytes();
            let sent = publisher
                .basic_publish("".into(), "q".into(), options, &body, properties)
                .await;
            confirms.push(sent.unwrap());
        }
        for confirm in confirms {
            assert_eq!(confirm.await.unwrap(), Confirmation::Ack(None));
        }
    });
    for number in 0..MESSAGES {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.data, number.to_be_bytes());
        assert!(!delivery.redelivered);
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    tokio::time::timeout(PATIENCE, publishing).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_error_of_a_channel_leaves_the_connection() {
    let program = start(&[]);
    let (connection, channel) = connect(&program).await;
    let other = connection.create_channel().await.unwrap();
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let refused = channel
        .queue_declare("nope".into(), passive, FieldTable::default())
        .await
        .unwrap_err();
    let lapin::ErrorKind::ProtocolError(error) = refused.kind() else {
        panic!("{refused:?}");
    };
    assert_eq!(error.get_id(), 404);
    assert_eq!(
        error.get_message().as_str(),
        "NOT_FOUND - no queue 'nope' in vhost '/'"
    );
    assert!(!channel.status().connected());
    assert!(connection.status().connected());
    declare(&other, "q").await;
    let third = connection.create_channel().await.unwrap();
    declare(&third, "q").await;
    connection.close(200, "bye".into()).await.unwrap();
}

/// The client runs on while the test waits for the program's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_of_a_stop() {
    let mut program = start(&[]);
    let (connection, channel) = connect(&program).await;
    declare(&channel, "q").await;
    let mut consumer = consume(&channel, "q").await;
    tokio::task::block_in_place(|| program.stop());
    let told = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
    let error = told.unwrap().unwrap_err();
    assert!(error.to_string().contains("CONNECTION_FORCED"), "{error}");
    let log = program.stderr();
    assert!(!log.contains("did not close in time"), "lapin answers: {log}");
    // It tells its consumers before it changes its own state.
    wait_for("the client's own view", || {
        (!connection.status().connected()).then_some(())
    });
}
