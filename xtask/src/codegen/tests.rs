//! Tests of the generator: that what is committed is what it writes, that drift is told, that mistakes are
//! named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;

/// A folder with the layout of the repository, gone when the test ends.
struct Repository(PathBuf);

impl Repository {
    fn with_spec(test: &str, spec: &str) -> Repository {
        let root = std::env::temp_dir().join(format!("warren-codegen-{}-{test}", std::process::id()));
        let repository = Repository(root);
        repository.write(SPEC, spec);
        repository.write(OUTPUT, "");
        repository
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SMALL: &str =
    "[tx]\nid = 90\nselect-ok = [11, \"\"]\nselect = [10, \"a:bit b:bit name:shortstr! c:bit\"]\n";

#[test]
fn what_is_committed_is_what_the_generator_writes() {
    assert_eq!(run(true), Ok(()));
}

#[test]
fn drift_is_told_and_not_repaired_by_a_check() {
    let repository = Repository::with_spec("drift", SMALL);
    let drifted = run_in(&repository.0, true).unwrap_err();
    assert!(drifted.contains("has drifted"), "{drifted}");
    assert_eq!(std::fs::read_to_string(repository.0.join(OUTPUT)).unwrap(), "");
    run_in(&repository.0, false).unwrap();
    assert_eq!(run_in(&repository.0, true), Ok(()));
    let generated = std::fs::read_to_string(repository.0.join(OUTPUT)).unwrap();
    repository.write(OUTPUT, &generated.replace("= 90", "= 91"));
    assert!(run_in(&repository.0, true).is_err());
    repository.write(OUTPUT, &generated);
    repository.write(SPEC, &SMALL.replace("c:bit", "c:octet"));
    assert!(run_in(&repository.0, true).is_err());
}

#[test]
fn bits_share_an_octet_only_with_their_neighbours() {
    let classes = parse(SMALL).unwrap();
    let names: Vec<&str> = classes[0]
        .methods
        .iter()
        .map(|method| method.name.as_str())
        .collect();
    assert_eq!(names, ["select", "select-ok"]);
    let generated = generate(&classes);
    assert!(generated.contains("out.push(u8::from(self.a) | u8::from(self.b) << 1);"));
    assert!(generated.contains("out.push(u8::from(self.c));"));
    assert!(generated.contains("c: bits_1 & 1 != 0,"));
    assert!(generated.contains("reserved: &[\"name\"],"));
    assert!(generated.contains("pub struct SelectOk;"));
}

#[test]
fn more_than_eight_bits_take_more_than_one_octet() {
    let bits: String = (0..9).map(|index| format!("b{index}:bit ")).collect();
    let generated = generate(&parse(&format!("[c]\nid = 1\nm = [2, \"{bits}\"]")).unwrap());
    assert!(generated.contains("b7: bits_0 & 128 != 0,"));
    assert!(generated.contains("b8: bits_1 & 1 != 0,"));
}

#[test]
fn mistakes_are_named() {
    let mistake = |spec: &str| parse(spec).unwrap_err();
    assert!(mistake("[tx]\nselect = [10, \"\"]").starts_with("tx: the id is missing"));
    assert!(mistake("[tx]\nid = 90\nselect = [10, \"a:bool\"]").contains("no kind is called `bool`"));
    assert!(mistake("[tx]\nid = 90\nselect = [10, \"a\"]").contains("`a` is not name:kind"));
    assert!(mistake("[tx]\nid = 90\nselect = [10]").starts_with("tx: select: a method is"));
    assert!(mistake("[tx]\nid = 90\na = [1, \"\"]\nb = [1, \"\"]").contains("id 1 is there twice"));
    assert!(mistake("[a]\nid = 1\n[b]\nid = 1").contains("id 1 is there twice"));
    assert!(mistake("[tx]\nid = 70000").contains("does not fit"));
    assert!(mistake("tx = 1").contains("not a class"));
    let missing = run_in(Path::new("/nonexistent"), true).unwrap_err();
    assert!(missing.starts_with(SPEC), "{missing}");
}
