//! What a new row must look like. The texts of refusals hold nothing of what was given.
use super::RegistryError;
use schemas::kind::Platform;

/// The longest retention, also the default (`security.md` §5).
pub(super) const MAX_RETENTION_DAYS: u16 = 356;
/// Names and unknown platforms' ids.
const MAX_CHARS: usize = 200;

fn refused<T>(why: &str) -> Result<T, RegistryError> {
    Err(RegistryError::Refused(why.to_owned()))
}

/// 1 to 200 characters, none of which is a control character, and not all of them blank.
pub(super) fn name(name: &str) -> Result<(), RegistryError> {
    let length = name.chars().count();
    if !(1..=MAX_CHARS).contains(&length) {
        return refused("a name has 1 to 200 characters");
    }
    if name.trim().is_empty() {
        return refused("a name is not blank");
    }
    if name.chars().any(char::is_control) {
        return refused("a name has no control characters");
    }
    Ok(())
}

/// The form of an IANA name. Whether the zone exists is the caller's to know: only it has the time zone database.
pub(super) fn time_zone(zone: &str) -> Result<(), RegistryError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
    if (1..=64).contains(&zone.len()) && zone.bytes().all(allowed) {
        return Ok(());
    }
    refused("a time zone is an IANA name such as Asia/Bangkok")
}

/// The setting, or the default.
pub(super) fn retention(days: Option<u16>) -> Result<u16, RegistryError> {
    match days.unwrap_or(MAX_RETENTION_DAYS) {
        days @ 1..=MAX_RETENTION_DAYS => Ok(days),
        _ => refused("retention is 1 to 356 days"),
    }
}

/// The platform's own id in the platform's form.
pub(super) fn external_id(platform: Platform, id: Option<&str>) -> Result<(), RegistryError> {
    match (platform, id) {
        (Platform::Line, Some(id)) if is_line_destination(id) => Ok(()),
        (Platform::Line, _) => refused("a LINE destination is U and 32 lower-case hexadecimal characters"),
        (Platform::Facebook, Some(id)) if is_page_id(id) => Ok(()),
        (Platform::Facebook, _) => refused("a Facebook page id consists of digits, not all of them 0"),
        (_, None) => Ok(()),
        (_, Some(id)) => match name(id) {
            Ok(()) => Ok(()),
            Err(_) => refused("a platform's id has 1 to 200 characters, none of them a control character"),
        },
    }
}

/// True when webhooks name the connection only by this id, so that it must be one connection's alone.
pub(super) fn is_page(platform: Platform) -> bool {
    platform == Platform::Facebook
}

/// Meta's dashboard sends its test posts for page `0`.
fn is_page_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) && id.bytes().any(|b| b != b'0')
}

fn is_line_destination(id: &str) -> bool {
    id.strip_prefix('U')
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_ids_have_the_platforms_form() {
        let line = format!("U{}", "0af".repeat(11));
        let good = [
            (Platform::Line, Some(&line[..33])),
            (Platform::Facebook, Some("104857600001234")),
            (Platform::Shopee, None),
            (Platform::Shopee, Some("shop-1")),
        ];
        for (platform, id) in good {
            assert!(external_id(platform, id).is_ok(), "{platform} {id:?}");
        }
        let upper = line[..33].to_uppercase();
        let bad = [
            (Platform::Line, None),
            (Platform::Line, Some("U")),
            (Platform::Line, Some(&line[..32])),
            (Platform::Line, Some(&upper)),
            (Platform::Line, Some(&line[1..33])),
            (Platform::Facebook, None),
            (Platform::Facebook, Some("")),
            (Platform::Facebook, Some("0")),
            (Platform::Facebook, Some("12a")),
            (Platform::Facebook, Some("１２")),
            (Platform::Other, Some("")),
            (Platform::Other, Some("a\nb")),
        ];
        for (platform, id) in bad {
            assert!(external_id(platform, id).is_err(), "{platform} {id:?}");
        }
    }

    #[test]
    fn names_zones_and_retention_have_limits() {
        assert!(name("ร้านกาแฟ").is_ok() && name(&"ก".repeat(200)).is_ok());
        assert!(name(" ").is_err() && name("\u{a0}\t").is_err());
        assert!(name("").is_err() && name(&"a".repeat(201)).is_err() && name("a\0b").is_err());
        assert!(time_zone("America/Argentina/Buenos_Aires").is_ok() && time_zone("Etc/GMT+7").is_ok());
        assert!(time_zone("").is_err() && time_zone("Asia/Bang kok").is_err() && time_zone("../etc/passwd").is_err());
        assert_eq!(retention(None).ok(), Some(356));
        assert!(retention(Some(1)).is_ok() && retention(Some(0)).is_err() && retention(Some(357)).is_err());
    }
}
