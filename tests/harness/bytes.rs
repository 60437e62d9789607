//! Looks for texts in whatever lies on a disk, as they are and in the disguises that a program might give them.
use super::catalog::files;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use std::{collections::BTreeSet, path::Path};

/// A text as it is, in hex, in UTF-16 and in base64 at each of the three alignments.
fn disguises(text: &str) -> Vec<Vec<u8>> {
    let utf16 = |big: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        text.as_bytes().to_vec(),
        hex.clone().into_bytes(),
        hex.to_uppercase().into_bytes(),
        utf16(true),
        utf16(false),
    ];
    for skip in 0..3 {
        // The characters that depend on the bytes around are cut off.
        let encoded = STANDARD_NO_PAD.encode(&text.as_bytes()[skip..]);
        all.push(encoded.as_bytes()[..encoded.len() - 2].to_vec());
    }
    all
}

/// What is looked for, what was found, and how much was searched.
pub struct Search {
    needles: Vec<Vec<u8>>,
    /// Whether a needle begins with these two bytes.
    begins: Vec<bool>,
    pub found: BTreeSet<String>,
    pub searched: usize,
}

fn pair(a: u8, b: u8) -> usize {
    usize::from(a) << 8 | usize::from(b)
}

impl Search {
    /// For texts, and their disguises that are long enough to be no accident.
    pub fn new(texts: &[&str]) -> Self {
        let all = texts.iter().flat_map(|text| disguises(text));
        Self::of(all.filter(|needle| needle.len() >= 6).collect())
    }

    fn of(needles: Vec<Vec<u8>>) -> Self {
        let mut begins = vec![false; 1 << 16];
        needles.iter().for_each(|needle| begins[pair(needle[0], needle[1])] = true);
        Self { needles, begins, found: BTreeSet::new(), searched: 0 }
    }

    fn first(&self, hay: &[u8]) -> Option<&[u8]> {
        let mut at = 0;
        while at + 1 < hay.len() {
            if self.begins[pair(hay[at], hay[at + 1])]
                && let Some(needle) = self.needles.iter().find(|needle| hay[at..].starts_with(needle))
            {
                return Some(needle);
            }
            at += 1;
        }
        None
    }

    /// Searches bytes that are called `name`.
    pub fn look(&mut self, name: &str, bytes: &[u8]) {
        self.searched += bytes.len();
        if let Some(needle) = self.first(bytes) {
            let found = format!("{name}: {:?}", String::from_utf8_lossy(needle));
            self.found.insert(found);
        }
    }

    /// Searches every file under a directory, and their names. A file may go meanwhile.
    pub fn look_into(&mut self, directory: &Path) {
        for file in files(directory) {
            if let Ok(bytes) = std::fs::read(&file) {
                self.look(&file.display().to_string(), &bytes);
            }
            self.look(&format!("the name of {}", file.display()), file.as_os_str().as_encoded_bytes());
        }
    }
}

/// True when a text is found, as it is, in a file under the directory.
pub fn is_in(directory: &Path, text: &str) -> bool {
    let mut search = Search::of(vec![text.as_bytes().to_vec()]);
    search.look_into(directory);
    !search.found.is_empty()
}
