//! Reads the golden files: one vector per line, fields separated by `|`, `#` begins a comment. The first line names the
//! source. In hex fields `00*19` stands for nineteen zero bytes.

pub(crate) fn vectors(file: &str) -> Vec<Vec<String>> {
    let (source, lines) = file.split_once('\n').expect("a first line");
    assert!(
        source.starts_with("# Source: "),
        "a golden file names its source"
    );
    lines
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.split('|')
                .map(|field| field.trim().to_owned())
                .collect()
        })
        .collect()
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        let (word, times) = word.split_once('*').unwrap_or((word, "1"));
        assert!(word.len().is_multiple_of(2), "whole bytes: {word}");
        let word: Vec<u8> = (0..word.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&word[at..at + 2], 16).expect("hex digits"))
            .collect();
        bytes.extend(word.repeat(times.parse().expect("a count")));
    }
    bytes
}

/// The bytes of a text with `\t`, `\n`, `\r`, `\0` and `\xNN`.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escape = match byte {
            b'\\' => rest.next().expect("an escape"),
            _ => {
                bytes.push(byte);
                continue;
            }
        };
        bytes.push(match escape {
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'0' => 0,
            b'x' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("hex digits")
            }
            other => panic!("no escape: {}", char::from(other)),
        });
    }
    bytes
}

/// The bytes of the line with this name in a file of names and bytes.
#[track_caller]
pub(crate) fn named(file: &str, name: &str) -> Vec<u8> {
    let vectors = vectors(file);
    let vector = vectors.iter().find(|vector| vector[0] == name);
    let vector = vector.unwrap_or_else(|| panic!("a line named {name}"));
    hex(vector.last().expect("a line has fields"))
}
