//! A record as a Kafka message: its headers, exactly, and its key. Pure.
use bytes::BytesMut;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use schemas::{
    ids::{DekId, EventId, WorkspaceId},
    record::{LastMasterKey, MASTER_KEY_ID_MAX, RECORD_VERSION, SealedRecord},
};

/// Bytes of values that are allocated together: what a reader keeps alive at least.
const ROOM: usize = 64 << 10;

/// The headers of a record.
pub(super) fn headers(record: &SealedRecord) -> OwnedHeaders {
    let add = |headers: OwnedHeaders, key: &str, value: &[u8]| headers.insert(Header { key, value: Some(value) });
    let mut headers = OwnedHeaders::new_with_capacity(8);
    headers = add(headers, "u-v", &[RECORD_VERSION]);
    headers = add(headers, "u-ws", &record.workspace.0);
    headers = add(headers, "u-ev", &record.event.0);
    headers = add(headers, "u-sc", &record.schema.to_be_bytes());
    headers = add(headers, "u-mk", record.master_key.as_bytes());
    headers = add(headers, "u-dk", &record.dek.0);
    headers = add(headers, "u-wd", &record.wrapped_dek);
    add(headers, "u-cm", &record.commitment)
}

/// True when the record can be read back.
pub(super) fn fits(record: &SealedRecord) -> bool {
    record.master_key.len() <= MASTER_KEY_ID_MAX
}

/// What the records of a run share, so that none of them allocates.
#[derive(Default)]
pub(super) struct Run {
    last: LastMasterKey,
    room: BytesMut,
}

impl Run {
    fn keep(&mut self, value: &[u8]) -> bytes::Bytes {
        if self.room.capacity() < value.len() {
            self.room = BytesMut::with_capacity(ROOM.max(value.len()));
        }
        self.room.extend_from_slice(value);
        self.room.split().freeze()
    }
}

/// The record of a message; `Err` says what is wrong with it, and shows nothing of it.
pub(super) fn record<H: Headers>(
    key: Option<&[u8]>,
    headers: Option<&H>,
    value: Option<&[u8]>,
    run: &mut Run,
) -> Result<SealedRecord, &'static str> {
    let headers = headers.ok_or("it has no headers")?;
    let value = value.ok_or("it has no value")?;
    if headers.count() != 8 {
        return Err("it has not the headers of a record");
    }
    // They come in the order in which they are written.
    let mut at = 0;
    let mut next = |name: &str| {
        let header = headers.try_get(at).filter(|header| header.key == name);
        at += 1;
        header.and_then(|header| header.value).ok_or("it has not the headers of a record")
    };
    if next("u-v")? != [RECORD_VERSION] {
        return Err("it is of another format version");
    }
    let workspace = WorkspaceId(array(next("u-ws")?)?);
    if key != Some(&workspace.0) {
        return Err("its key is not its workspace");
    }
    let event = EventId(array(next("u-ev")?)?);
    let schema = u32::from_be_bytes(array(next("u-sc")?)?);
    let master_key = next("u-mk")?;
    if master_key.len() > MASTER_KEY_ID_MAX {
        return Err("a header has not its length");
    }
    let master_key = run.last.share(std::str::from_utf8(master_key).map_err(|_| "its key id is no text")?);
    let dek = DekId(array(next("u-dk")?)?);
    let wrapped_dek = array(next("u-wd")?)?;
    let commitment = array(next("u-cm")?)?;
    let value = run.keep(value);
    Ok(SealedRecord { workspace, event, schema, master_key, dek, wrapped_dek, commitment, value })
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], &'static str> {
    bytes.try_into().map_err(|_| "a header has not its length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SealedRecord {
        SealedRecord {
            workspace: WorkspaceId([1; 16]),
            event: EventId([2; 16]),
            schema: 7,
            master_key: "w/01/v3".into(),
            dek: DekId([3; 16]),
            wrapped_dek: [4; 60],
            commitment: [5; 16],
            value: vec![6; 40].into(),
        }
    }

    fn read<H: Headers>(
        key: Option<&[u8]>,
        headers: Option<&H>,
        value: Option<&[u8]>,
    ) -> Result<SealedRecord, &'static str> {
        record(key, headers, value, &mut Run::default())
    }

    #[test]
    fn records_of_a_run_keep_their_own_values() {
        let (mut run, headers) = (Run::default(), headers(&sample()));
        let values: Vec<Vec<u8>> = (0..200).map(|n| vec![n as u8; n * n]).chain([vec![7; 3 * ROOM], vec![8]]).collect();
        let read = |value: &Vec<u8>| record(Some(&[1; 16]), Some(&headers), Some(value), &mut run).expect("a record");
        let records: Vec<SealedRecord> = values.iter().map(read).collect();
        for (record, value) in records.into_iter().zip(&values) {
            assert_eq!((&record.value[..], &*record.master_key), (&value[..], "w/01/v3"));
        }
    }

    #[test]
    fn the_headers_are_those_of_the_format_and_no_others() {
        let sample = sample();
        let headers = headers(&sample);
        let names: Vec<_> = headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::len))).collect();
        let expected = [
            ("u-v", 1),
            ("u-ws", 16),
            ("u-ev", 16),
            ("u-sc", 4),
            ("u-mk", 7),
            ("u-dk", 16),
            ("u-wd", 60),
            ("u-cm", 16),
        ];
        assert_eq!(names, expected.map(|(name, len)| (name.to_owned(), Some(len))));
        assert_eq!(read(Some(&[1; 16]), Some(&headers), Some(&[6; 40])), Ok(sample));
    }

    #[test]
    fn whatever_is_not_a_record_is_refused() {
        let good = headers(&sample());
        let reads = |key: &[u8], headers: &OwnedHeaders| read(Some(key), Some(headers), Some(&[6; 40])).is_ok();
        assert!(reads(&[1; 16], &good));
        assert!(!reads(&[2; 16], &good), "another key");
        assert!(!reads(&[1; 16], &good.clone().insert(Header { key: "name", value: Some("Ann") })), "one more header");
        assert!(read(None, Some(&good), Some(&[6; 40])).is_err());
        assert!(read(Some(&[1; 16]), Some(&good), None).is_err());
        assert!(read::<OwnedHeaders>(Some(&[1; 16]), None, Some(&[6; 40])).is_err());
        for changed in 0..8 {
            let mut other = OwnedHeaders::new();
            for (n, header) in good.iter().enumerate() {
                let value = header.value.map(|v| if n == changed && n != 4 { &v[..v.len() - 1] } else { v });
                let key = if n == changed && n == 4 { "u-xx" } else { header.key };
                other = other.insert(Header { key, value });
            }
            assert!(!reads(&[1; 16], &other), "header {changed}");
        }
    }
}
