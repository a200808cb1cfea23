//! Every transcript in `data/transcripts` agrees with the command. A new case is a new file.

use std::fs;
use std::path::Path;

use crate::transcript;

#[test]
fn transcripts_agree_with_the_command() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let played = transcript::replay(&fs::read_to_string(&path).unwrap());
        transcript::hold(&path, &played, "MIMIC_UPDATE_TRANSCRIPTS");
        count += 1;
    }
    assert!(count > 0);
}
