//! Random strings that look like image references, right and wrong.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::table;

/// Parts of references.
const PIECES: &str = "/ / / : : @ . _ __ - -- a b Z 0 9 nginx library library/ localhost docker.io docker.io/ index.docker.io/ \
    a_b.com r.io/ R [::1] [ ] [AB] :80 :80/ :latest v1.2 sha256 sha256: @sha256: @sha384: @sha512: @SHA256: @md5: @sha256+b64:";
const HOSTS: &str = "localhost LOCALHOST localhost:5000 docker.io index.docker.io docker.io:443 r.io a.b-c.d R aB:80 127.0.0.1:1 \
    [::1] [2001:db8::1]:443 [AB]";
const ODD_HOSTS: &str = "a_b.com A_b [ab] -a.b a. r.io: docker.io:4x [::1 [::g]";
/// Characters inserted at positions where they may not be valid.
const ALPHABET: &str = "aZ09/:@._-+[] \n\0é\u{212a}";
const HEX: &str = "0123456789abcdef";

/// One element of a list that is separated by spaces.
fn word(list: &'static str) -> impl Strategy<Value = &'static str> {
    select(list.split_whitespace().collect::<Vec<_>>())
}

fn chars(alphabet: &str, length: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = String> {
    let alphabet: Vec<char> = alphabet.chars().collect();
    proptest::collection::vec(select(alphabet), length).prop_map(String::from_iter)
}

/// Hexadecimal digits of a significant length, or of one more or less.
fn hex() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(&[64_usize, 96, 128][..]),
        2 => select(&[32_usize, 63, 65, 95, 97, 127, 129][..]),
        1 => 0..140_usize,
    ]
    .prop_flat_map(|length| chars(HEX, length))
}

/// Parts of references in random order.
pub(crate) fn glued() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        24 => word(PIECES).prop_map(str::to_owned),
        2 => chars(ALPHABET, 1),
        1 => hex(),
        1 => (120..260_usize).prop_map(|length| "a".repeat(length)),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

/// Strings with the parts of a reference in order, most of them valid.
pub(crate) fn well_formed() -> impl Strategy<Value = String> {
    let host = proptest::option::of(prop_oneof![4 => word(HOSTS), 1 => word(ODD_HOSTS)]);
    let component = chars("abz09", 1..5).prop_flat_map(|word| {
        let rest = (select(&[".", "_", "__", "-", "---", ""][..]), chars("az0", 1..4));
        proptest::collection::vec(rest, 0..3)
            .prop_map(move |rest| rest.iter().fold(word.clone(), |name, (separator, word)| name + separator + word))
    });
    let path = prop_oneof![
        12 => proptest::collection::vec(component, 1..4).prop_map(|path| path.join("/")),
        1 => hex(),
        1 => (240..260_usize).prop_map(|length| "a".repeat(length)),
    ];
    let tag = proptest::option::of(prop_oneof![
        8 => chars("aZ09_.-", 1..10),
        1 => (125..131_usize).prop_map(|length| "T".repeat(length)),
    ]);
    let right = select(&[("sha256", 64_usize), ("sha384", 96), ("sha512", 128)][..])
        .prop_flat_map(|(algorithm, length)| (Just(algorithm), chars(HEX, length)));
    let digest =
        proptest::option::of(prop_oneof![4 => right, 1 => (word("sha256 sha384 sha512 sha224 SHA512"), hex())]);
    (host, path, tag, digest).prop_map(|(host, path, tag, digest)| {
        let host = host.map_or(String::new(), |host| format!("{host}/"));
        let tag = tag.map_or(String::new(), |tag| format!(":{tag}"));
        let digest = digest.map_or(String::new(), |(algorithm, hex)| format!("@{algorithm}:{hex}"));
        host + &path + &tag + &digest
    })
}

/// A line of the table or a well-formed string, with one or two characters inserted, removed or replaced.
pub(crate) fn damaged() -> impl Strategy<Value = String> {
    let inputs: Vec<_> = table::cases().into_iter().map(|case| case.input).collect();
    let alphabet: Vec<char> = ALPHABET.chars().collect();
    let damage = (any::<Index>(), 0..3_u8, select(alphabet));
    let whole = prop_oneof![select(inputs), well_formed()];
    (whole, proptest::collection::vec(damage, 1..3)).prop_map(|(whole, damages)| {
        let mut chars: Vec<char> = whole.chars().collect();
        for (place, kind, char) in damages {
            let place = place.index(chars.len() + 1);
            match kind {
                0 => chars.insert(place, char),
                _ if place == chars.len() => {}
                1 => drop(chars.remove(place)),
                _ => chars[place] = char,
            }
        }
        String::from_iter(chars)
    })
}

/// Any string.
pub(crate) fn arbitrary() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter)
}
