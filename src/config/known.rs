//! Which keys exist, and which one was probably meant.
use super::SECTIONS;
use toml::{Table, Value};

/// Every setting's dotted name.
pub fn paths() -> Vec<String> {
    SECTIONS.iter().flat_map(|section| section.fields.iter().map(|field| section.path_of(field))).collect()
}

/// The first key of a table that is no setting, with the nearest one that is.
pub fn unknown(table: &Table) -> Option<(String, Option<String>)> {
    let known = paths();
    first_unknown(table, "", &known).map(|path| {
        let nearest = nearest(&path, &known);
        (path, nearest)
    })
}

fn first_unknown(table: &Table, prefix: &str, known: &[String]) -> Option<String> {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let below = format!("{path}.");
        if known.contains(&path) {
            continue;
        }
        match value {
            Value::Table(inner) if known.iter().any(|k| k.starts_with(&below)) => {
                if let Some(found) = first_unknown(inner, &path, known) {
                    return Some(found);
                }
            }
            _ => return Some(path),
        }
    }
    None
}

/// The known name that is fewest edits away, if it is near at all. The last part alone counts too, so that a setting in
/// the wrong section is found.
pub fn nearest(path: &str, known: &[String]) -> Option<String> {
    let last = |text: &str| text.rsplit('.').next().unwrap_or(text).to_owned();
    let distance = |candidate: &String| {
        let same_name = if last(candidate) == last(path) { 1 } else { usize::MAX };
        edits(path, candidate).min(same_name)
    };
    let best = known.iter().min_by_key(|candidate| distance(candidate))?;
    (distance(best) <= (path.chars().count() / 3).max(2)).then(|| best.clone())
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_far_ones_are_not() {
        let known = paths();
        assert_eq!(nearest("listen.ingress", &known).as_deref(), Some("listen.ingest"));
        assert_eq!(nearest("land.maxage", &known).as_deref(), Some("land.max_age"));
        assert_eq!(nearest("app_secret_file", &known).as_deref(), Some("platforms.facebook.app_secret_file"));
        assert_eq!(nearest("zzzzzzzz", &known), None);
    }
}
