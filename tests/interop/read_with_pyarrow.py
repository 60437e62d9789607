#!/usr/bin/env python3
"""Opens an encrypted data file with PyArrow and nothing of ours but exported keys.

    chatmai key export --workspace W --out keys.json
    python read_with_pyarrow.py --keys keys.json chatmai-data/store/w/…/….parquet

Prints each row as one JSON object a line: ids in hex, instants in RFC 3339. Needs `pyarrow` and `cryptography`.
"""

import argparse
import base64
import datetime
import json
import sys

import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class ExportedKeys(pe.KmsClient):
    """Unwraps file keys with the day keys of `chatmai key export`.

    A wrapped key is base64 of nonce (12 bytes), ciphertext and tag (16), by AES-256-GCM under the day key, with the
    day key's id as additional data.
    """

    def __init__(self, day_keys, unwrapped=None):
        super().__init__()
        self.day_keys = {name: base64.b64decode(key) for name, key in day_keys.items()}
        self.unwrapped = unwrapped if unwrapped is not None else []

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError("exported keys are for reading")

    def unwrap_key(self, wrapped_key, master_key_identifier):
        try:
            day_key = self.day_keys[master_key_identifier]
        except KeyError:
            raise ValueError(f"no key {master_key_identifier}") from None
        sealed = base64.b64decode(wrapped_key, validate=True)
        key = AESGCM(day_key).decrypt(sealed[:12], sealed[12:], master_key_identifier.encode())
        self.unwrapped.append((master_key_identifier, len(key)))
        return key


def read_table(path, day_keys, unwrapped=None):
    """The table in a data file. `unwrapped`, a list, is told each key that was unwrapped, as (id, bytes)."""
    factory = pe.CryptoFactory(lambda _: ExportedKeys(day_keys, unwrapped))
    properties = factory.file_decryption_properties(pe.KmsConnectionConfig(), pe.DecryptionConfiguration())
    with pq.ParquetFile(path, decryption_properties=properties) as file:
        return file.read()


def plain(value):
    """A cell as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", required=True, help="what `chatmai key export` wrote")
    parser.add_argument("file", help="a data file")
    arguments = parser.parse_args()
    with open(arguments.keys, encoding="utf-8") as file:
        day_keys = json.load(file)
    for row in read_table(arguments.file, day_keys).to_pylist():
        json.dump({name: plain(value) for name, value in row.items()}, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
