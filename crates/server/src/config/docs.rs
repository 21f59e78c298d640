//! `docs/configuration.md`, made from the key table so that it cannot be wrong about a key.
//!
//! A test compares the file with this text; run the tests with `UPDATE_EXPECT=1` to rewrite it.

use std::fmt::Write;

use super::key::{DefaultText, Key};
use super::table::GROUPS;
use super::{ENVIRONMENT, FILE_VARIABLES};

const HEAD: &str = "\
# Configuration

This page is generated from the key table in `crates/server/src/config/table.rs`; do not edit it.

Warren starts without any configuration. What is to be different from the defaults can be set in three places;
later ones win over earlier ones:

1. a file in the format of RabbitMQ's `rabbitmq.conf`, named by `--config FILE`, or else by the environment
   variable ";

const BODY: &str = "
A key that is not on this page is an error, and so is a value that its key does not take.

## The file

```
# A comment.
listeners.tcp.default = 127.0.0.1:5672   # a comment behind a value needs a blank before its `#`
default_pass = 'a # belongs to a value in single quotes'
loopback_users.first\\.last = false       # a dot inside a part of a key is escaped
```

If a key is repeated, the last one wins. Values of `--set` are taken as they are, without quotes or comments.

## Where data lies

In the folder that `--data-dir` names, or else the key `data_dir`. If neither does, a broker run by root uses
`/var/lib/warren`, or the folder of an ordinary user if `/var/lib` cannot be written to; anybody else's uses
`$XDG_DATA_HOME/warren`, which is `~/.local/share/warren` if that variable is not set. The folder is made if
need be, for its owner alone. One broker uses it at a time. `warren check --data-dir DIR` tells what is in it,
and what of that is damaged. With `--no-data-dir` there is no folder: messages and definitions live in memory.
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "{};",
        FILE_VARIABLES
            .map(|variable| format!("`{variable}`"))
            .join(" or ")
    );
    let pairs = ENVIRONMENT.map(|(variable, key)| format!("`{variable}` (`{key}`)"));
    let _ = writeln!(page, "2. the environment: {};", pairs.join(", "));
    let _ = writeln!(page, "3. arguments: `--set key=value`, as often as need be.");
    page.push_str(BODY);
    for group in GROUPS {
        let _ = writeln!(page, "\n## {}\n", group.title);
        let _ = writeln!(page, "| key | takes | default | meaning |\n|---|---|---|---|");
        for key in group.keys {
            let _ = writeln!(page, "{}", row(key));
        }
    }
    page
}

fn row(key: &Key) -> String {
    let default = match key.default {
        DefaultText::Is(text) => format!("`{text}`"),
        DefaultText::Means(words) => words.to_owned(),
    };
    let name = key.name;
    let example = key.example;
    let doc = key.doc;
    let allowed = key.kind.allowed();
    format!("| `{name}` | {allowed} | {default} | {doc} Example: `{example}` |")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_docs_is_up_to_date() {
        expect_test::expect_file!["../../../../docs/configuration.md"].assert_eq(&markdown());
    }

    #[test]
    fn no_text_breaks_the_tables() {
        let page = markdown();
        for line in page.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.matches('|').count(), 5, "{line}");
        }
    }
}
