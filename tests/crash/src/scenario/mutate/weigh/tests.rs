//! Verdicts on what never happened: each rule is broken once.

use super::*;

const LOAD: u64 = 7;
const CHURN: u64 = 8;

/// Five messages of the load and two of the declarer. Message 1 of the load is touched, in a record at
/// position 1000, and one of the declarer in another at 2000.
struct Case {
    queues: HashMap<u64, String>,
    reach: Reach,
    told: Told,
    missing: Vec<u32>,
    back: Vec<u32>,
    short: u32,
    topology: u64,
    said: bool,
}

fn name(seq: u32) -> (Queue, u32, u32) {
    (0, 1, seq)
}

fn of_load(seq: u64) -> Copy {
    Copy { owner: LOAD, seq }
}

fn place(position: u64) -> Option<Place> {
    Some(Place {
        file: "log/1.log".to_owned(),
        at: position,
        position,
        bytes: 50,
    })
}

impl Case {
    fn new() -> Case {
        let queues = [(LOAD, "direct.a"), (CHURN, "churn.1")];
        let churn = Copy { owner: CHURN, seq: 0 };
        Case {
            queues: queues.map(|(id, name)| (id, name.to_owned())).into(),
            reach: Reach {
                missing: [(of_load(1), place(1000)), (churn, place(2000))].into(),
                ..Reach::default()
            },
            told: told(0),
            missing: Vec::new(),
            back: Vec::new(),
            short: 0,
            topology: 0,
            said: true,
        }
    }

    fn weigh(self) -> Result<(), String> {
        let names: Names = (0..6).map(|seq| (name(seq), of_load(u64::from(seq)))).collect();
        // The last one was settled.
        let was_present: HashSet<_> = (0..5).map(name).collect();
        let mut present = was_present.clone();
        let is_missing = |(_, _, seq): &(Queue, u32, u32)| self.missing.contains(seq);
        present.retain(|name| !is_missing(name));
        present.extend(self.back.iter().map(|seq| name(*seq)));
        let mut figures = Figures::default();
        (0..self.topology).for_each(|_| figures.fault(Fault::Topology, String::new()));
        let counts = |count| BTreeMap::from([("churn.1".to_owned(), count)]);
        let weighing = Weighing {
            queues: &self.queues,
            reach: self.reach,
            undeclared: 0,
            names,
            told_by_check: self.told.clone(),
            told: self.told,
            was_present,
            had: counts(2),
        };
        let outcome = Outcome {
            figures,
            present,
            counts: counts(2 - self.short),
        };
        weighing.weigh(outcome, self.said, &mut Tally::default())
    }

    fn says(self, what: &str) {
        let said = self.weigh().expect_err("a rule is broken");
        assert!(said.contains(what), "{said}");
    }
}

fn told(messages: u64) -> Told {
    let line = format!("damaged: 1 place, {messages} messages known to be lost\n");
    Told::by_check(&line)
}

fn told_bytes(bytes: u64, position: u64) -> Told {
    let what = format!("{bytes} bytes of records, from position {position} on, are damaged");
    Told::by_check(&format!(
        "log/1.log at byte 9: {what}\ndamaged: 1 place, 0 messages known to be lost\n"
    ))
}

#[test]
fn what_was_touched_may_be_missing_if_it_is_told() {
    assert_eq!(Case::new().weigh(), Ok(()));
    let mut case = Case::new();
    (case.missing, case.told) = (vec![1], told(1));
    assert_eq!(case.weigh(), Ok(()));
    let mut case = Case::new();
    (case.missing, case.told) = (vec![1], told_bytes(50, 1000));
    case.reach.record_bytes = 50;
    assert_eq!(case.weigh(), Ok(()));
    let mut case = Case::new();
    (case.short, case.topology, case.told) = (1, 1, told(1));
    assert_eq!(case.weigh(), Ok(()));
    let mut case = Case::new();
    (case.missing, case.said) = (vec![1], false);
    case.reach.untold.insert(of_load(1));
    assert_eq!(case.weigh(), Ok(()));
}

#[test]
fn what_was_not_touched_may_not_be_missing_or_back() {
    let mut case = Case::new();
    (case.missing, case.told) = (vec![1, 2], told(2));
    case.says("1 of 2 missing messages were not touched");
    let mut case = Case::new();
    case.back = vec![5];
    case.says("1 are back whose settlement was not touched");
    let mut case = Case::new();
    case.back = vec![5];
    case.reach.back.insert(of_load(5));
    assert_eq!(case.weigh(), Ok(()));
    let mut case = Case::new();
    (case.short, case.topology, case.told) = (2, 1, told(2));
    case.says("churn.1 has 0 messages and had 2, of which 1 were touched");
    let mut case = Case::new();
    case.topology = 1;
    case.says("1 faults of the catalog");
}

#[test]
fn no_less_is_told_than_is_missing() {
    let mut case = Case::new();
    case.missing = vec![1];
    case.says("the broker told of 0 lost messages, and 1 are missing");
    // Other records than that of the message.
    let mut case = Case::new();
    (case.missing, case.told) = (vec![1], told_bytes(50, 2000));
    case.reach.record_bytes = 50;
    case.says("the broker told of 0 lost messages, and 1 are missing");
    let mut case = Case::new();
    (case.missing, case.told, case.said) = (vec![1], told(1), false);
    case.says("and no word about it");
}

#[test]
fn no_more_is_told_than_was_touched() {
    let mut case = Case::new();
    case.told = told(1);
    case.says("the broker told of 1 lost messages; 0 are missing");
    let mut case = Case::new();
    case.told = told(1);
    case.reach.settled = 1;
    assert_eq!(case.weigh(), Ok(()));
    let mut case = Case::new();
    case.told = told_bytes(51, 1000);
    case.reach.record_bytes = 50;
    case.says("51 lost bytes of records, of which 50 were touched");
}
