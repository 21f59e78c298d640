//! Command lines to plans, and what is refused.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(line: &str) -> Arguments {
    let words = ["bench"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.arguments).unwrap()
}

fn plan(line: &str) -> Plan {
    Plan::new(arguments(line)).map(|(plan, _)| plan).unwrap()
}

fn refused(line: &str) -> PlanError {
    Plan::new(arguments(line)).map(drop).unwrap_err()
}

/// What the command line's own reader says.
fn misread(line: &str) -> String {
    let words = ["bench"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).map(drop).unwrap_err().to_string()
}

#[test]
fn without_options_one_produces_and_one_consumes_for_ten_seconds() {
    let plan = plan("");
    assert_eq!((plan.producers, plan.consumers), (1, 1));
    assert_eq!((plan.producer_connections, plan.consumer_connections), (1, 1));
    assert_eq!(plan.course, Course::Time(10.0));
    assert_eq!((plan.warmup_s, plan.multi_ack, plan.prefetch), (1.0, 1, 200));
    assert!(plan.threads <= 2);
}

#[test]
fn channels_make_connections_and_connections_are_split() {
    let channels = plan("-p 10 -c 5 --channels-per-connection 4");
    assert_eq!(
        (channels.producer_connections, channels.consumer_connections),
        (3, 2)
    );
    let split = plan("-p 10 -c 30 --connections 8");
    assert_eq!((split.producer_connections, split.consumer_connections), (2, 6));
    let uneven = plan("-p 1000 -c 1 --connections 3");
    assert_eq!((uneven.producer_connections, uneven.consumer_connections), (2, 1));
    assert_eq!(
        refused("--connections 1"),
        PlanError::FewConnections { connections: 1 }
    );
    assert_eq!(plan("-p 4 -c 0 --connections 1").producer_connections, 1);
}

#[test]
fn a_number_of_messages_is_shared_exactly() {
    let plan = plan("--messages 10 -p 4");
    let quotas: Vec<u64> = (0..4).map(|part| plan.quota(part, 4)).collect();
    assert_eq!(quotas, [3, 3, 2, 2]);
    assert_eq!(plan.warmup_s, 0.0);
}

#[test]
fn what_does_not_go_together_is_refused() {
    assert_eq!(refused("-p 0"), PlanError::Nothing);
    assert_eq!(refused("-q 0"), PlanError::NoQueue);
    assert_eq!(refused("--confirm 0"), PlanError::Zero { option: "--confirm" });
    assert_eq!(refused("--bindings 3"), PlanError::BindingsOfDefault);
    assert_eq!(refused("-e fanout --bindings 3"), PlanError::BindingsOfFanout);
    let few = PlanError::FewBindings {
        bindings: 3,
        queues: 4,
    };
    assert_eq!(refused("-e topic --bindings 3 -q 4"), few);
    let never = PlanError::AckPastPrefetch {
        multi_ack: 50,
        prefetch: 10,
    };
    assert_eq!(refused("--multi-ack 50 --prefetch 10"), never);
    assert_eq!(
        refused("-p 0 --idle 1 --backlog 5"),
        PlanError::NoProducer { option: "--backlog" }
    );
    assert_eq!(
        refused("--time 0"),
        PlanError::Time {
            option: "--time",
            least: "0.1"
        }
    );
    assert_eq!(refused("--prefix="), PlanError::Prefix);
    assert_eq!(refused("-e direct --distinct"), PlanError::DistinctOfOther);
}

#[test]
fn what_cannot_be_read_names_the_option_and_the_reason() {
    for (line, parts) in [
        ("--size 4", ["--size", "at least 16"]),
        ("--rate fast", ["--rate", "`fast` is no rate"]),
        ("--uri http://h", ["--uri", "begins with amqp://"]),
        ("--queue-argument x", ["--queue-argument", "not KEY=VALUE"]),
        ("--time 5 --messages 3", ["--time", "--messages"]),
        ("--auto-ack --multi-ack 5", ["--auto-ack", "--multi-ack"]),
        ("--churners 5", ["--churn <WHAT>", "required"]),
        ("--exchange x", ["--exchange", "topic"]),
        ("--priority 0", ["--priority", "1..=255"]),
        ("--header x", ["--header", "not KEY=VALUE"]),
    ] {
        let said = misread(line);
        assert!(parts.iter().all(|part| said.contains(part)), "{line}: {said}");
    }
}

#[test]
fn arguments_of_queues_keep_their_types() {
    use warren_protocol::amqp091::table::Value;
    let plan = plan("--queue-argument x-queue-type=quorum --queue-argument x-max-length=7");
    let table = plan.queue_arguments.as_table();
    assert_eq!(table.find(b"x-queue-type"), Some(Value::LongString(b"quorum")));
    assert_eq!(table.find(b"x-max-length"), Some(Value::I64(7)));
}

#[test]
fn a_delayed_exchange_is_direct_inside_unless_said_otherwise() {
    use warren_protocol::amqp091::table::Value;
    let inner = |line: &str| {
        let plan = plan(line);
        let table = plan.exchange_arguments.as_table();
        table
            .find(b"x-delayed-type")
            .map(|value| value == Value::LongString(b"direct"))
    };
    assert_eq!(inner("-e delayed"), Some(true));
    assert_eq!(
        inner("-e delayed --exchange-argument x-delayed-type=fanout"),
        Some(false)
    );
    assert_eq!(inner("-e direct"), None);
}
