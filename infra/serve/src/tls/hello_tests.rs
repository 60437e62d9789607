//! Hellos made by hand, for versions that no library of ours can send.
use super::*;

fn vector(width: usize, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&length[2 - width..], content].concat()
}

fn body(legacy: u16, extensions: Option<&[(u16, Vec<u8>)]>) -> Vec<u8> {
    let mut hello = legacy.to_be_bytes().to_vec();
    hello.extend([7; 32]);
    hello.extend(vector(1, &[9; 32]));
    hello.extend(vector(2, &[0x13, 0x02]));
    hello.extend(vector(1, &[0]));
    if let Some(extensions) = extensions {
        let all: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, content)| [kind.to_be_bytes().to_vec(), vector(2, content)].concat())
            .collect();
        hello.extend(vector(2, &all));
    }
    [&[CLIENT_HELLO, 0][..], &vector(2, &hello)].concat()
}

/// The message in records of at most `size` bytes.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(|part| [&[HANDSHAKE, 3, 1][..], &vector(2, part)].concat()).collect()
}

fn with_versions(versions: &[u16]) -> Vec<u8> {
    let list: Vec<u8> = versions.iter().flat_map(|version| version.to_be_bytes()).collect();
    records(&body(0x0303, Some(&[(0, vec![1, 2, 3]), (SUPPORTED_VERSIONS, vector(1, &list))])), 16_384)
}

#[test]
fn the_old_field_counts_without_a_list_of_versions() {
    for (legacy, version) in [
        (0x0300, Version::Ssl3),
        (0x0301, Version::Tls10),
        (0x0302, Version::Tls11),
        (0x0303, Version::Tls12),
        (0x0304, Version::Tls12),
        (0x0200, Version::Unknown),
    ] {
        assert_eq!(opening(&records(&body(legacy, None), 16_384)), Opening::Older(version), "{legacy:x}");
        assert_eq!(
            opening(&records(&body(legacy, Some(&[(10, vec![])])), 16_384)),
            Opening::Older(version),
            "{legacy:x}"
        );
    }
}

#[test]
fn the_list_of_versions_counts_where_there_is_one() {
    assert_eq!(opening(&with_versions(&[0x0a0a, 0x0304, 0x0303])), Opening::Tls13);
    assert_eq!(opening(&with_versions(&[0x0303, 0x0304])), Opening::Tls13);
    assert_eq!(opening(&with_versions(&[0x0302, 0x0303])), Opening::Older(Version::Tls12));
    assert_eq!(opening(&with_versions(&[0xfafa, 0x0301])), Opening::Older(Version::Tls10));
    assert_eq!(opening(&with_versions(&[0x0a0a, 0x7f1c])), Opening::Older(Version::Unknown));
}

#[test]
fn a_hello_may_be_spread_over_records_and_be_followed_by_more() {
    let message = body(0x0303, Some(&[(SUPPORTED_VERSIONS, vector(1, &[3, 4]))]));
    for size in [1, 3, 5, 40] {
        let mut bytes = records(&message, size);
        bytes.extend([20, 3, 3, 0, 1, 1]);
        assert_eq!(opening(&bytes), Opening::Tls13, "records of {size}");
    }
}

#[test]
fn whatever_is_cut_short_or_torn_is_unknown_and_never_read_past_its_end() {
    let whole = with_versions(&[0x0303]);
    for end in 1..whole.len() {
        assert_eq!(opening(&whole[..end]), Opening::Older(Version::Unknown), "{end} bytes");
    }
    for at in 0..whole.len() {
        let mut torn = whole.clone();
        torn[at] ^= 0xff;
        opening(&torn);
    }
    assert_eq!(opening(&[HANDSHAKE, 3, 1, 0, 4, 2, 0, 0, 0]), Opening::Older(Version::Unknown), "a ServerHello");
    assert_eq!(opening(&[0x80, 0x2e, 1, 3, 1]), Opening::Older(Version::Unknown), "SSL 2");
    assert_eq!(opening(&[]), Opening::Nothing);
}

#[test]
fn http_in_clear_is_recognised_from_its_first_byte() {
    for request in ["GET / HTTP/1.1\r\n", "POST /webhooks/line/x HTTP/1.1", "PRI * HTTP/2.0\r\n\r\n", "OPT", "G"] {
        assert_eq!(opening(request.as_bytes()), Opening::Older(Version::Plain), "{request}");
    }
    for other in ["get / http/1.1", " GET /", "SSH-2.0-x", "\r\n", "AAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(opening(other.as_bytes()), Opening::Older(Version::Unknown), "{other}");
    }
}
