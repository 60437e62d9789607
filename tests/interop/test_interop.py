#!/usr/bin/env python3
"""What an outsider can do with the files, and what nobody can.

Makes data with the real binary (CHATMAI_BIN), then reads it with PyArrow and exported keys; tries to read it without
them, or after it was tampered with; and looks for what was put in, in every byte that the processes left behind.
"""

import base64
import datetime
import json
import os
import pathlib
import random
import shutil
import stat
import sys
import tempfile
import unittest

import pyarrow.parquet as pq

from chatmai import House
from read_with_pyarrow import read_table

# Part of everything that came from a person and of every secret; none of it may be found on the disk.
CANARY = "canary" + "7f3a91"
SECRET = f"{CANARY}secret" + "0" * 8
MESSAGES = 5000
DESTINATION = "U" + "0af1" * 8
SEED = int(os.environ.get("CHATMAI_SEED", "1"))
NOW = datetime.datetime.now(datetime.timezone.utc)


def instant(days_ago, n=0):
    at = (NOW - datetime.timedelta(days=days_ago)).replace(hour=9, minute=0, second=0, microsecond=0)
    return (at + datetime.timedelta(seconds=n)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_of(n):
    return f"{CANARY} text {n} สวัสดี 🐘"


def import_lines(count, days_ago):
    for n in range(count):
        yield json.dumps(
            {
                "id": f"m{days_ago}-{n}",
                "kind": "message",
                "connection": {"platform": "line", "name": f"{CANARY} old inbox"},
                "conversation": f"c{n % 20}",
                "contact": {"id": f"{CANARY}contact{n % 20}", "name": f"{CANARY} contact {n % 20}"},
                "author": {"kind": "customer"} if n % 2 else {"kind": "agent", "member": f"{CANARY} member {n % 3}"},
                "event_at": instant(days_ago, n),
                "type": "text",
                "text": text_of(n),
            },
            ensure_ascii=False,
        )


def line_text(n):
    """A LINE webhook with one text message, in the platform's shape."""
    body = {
        "destination": DESTINATION,
        "events": [
            {
                "type": "message",
                "message": {"type": "text", "id": f"4683{n:014}", "quoteToken": "q", "text": text_of(n)},
                "webhookEventId": f"01FZ74A0TDDPYRVK{n:010}",
                "deliveryContext": {"isRedelivery": False},
                "timestamp": int(NOW.timestamp() * 1000),
                "source": {"type": "user", "userId": f"U{n:032x}"},
                "replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
                "mode": "active",
            }
        ],
    }
    return json.dumps(body, ensure_ascii=False).encode()


def shapes(canary):
    """The bytes that would give the canary away: as text, in hex, in base64 at each alignment."""
    raw = canary.encode()
    yield raw
    yield canary.encode("utf-16-le")
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        # Characters at the ends depend on the neighbours.
        yield coded[2 if shift else 0 : -4][shift:]


def leaks(directory):
    """Every file that holds the canary in its name or its bytes."""
    wanted = list(shapes(CANARY))
    for path in sorted(pathlib.Path(directory).rglob("*")):
        if CANARY in path.name:
            yield f"the name of {path}"
        if path.is_file():
            content = path.read_bytes()
            if any(shape in content for shape in wanted):
                yield str(path)


class Interop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="chatmai-interop-")
        cls.addClassCleanup(cls.temporary.cleanup)
        # What is outside of the data directory may hold the canary: the operator's own secret files.
        cls.outside = pathlib.Path(cls.temporary.name)
        cls.secret_file = cls.outside / "secret"
        cls.secret_file.write_text(SECRET + "\n")
        cls.house = House(
            os.environ["CHATMAI_BIN"],
            cls.outside / "data",
            {
                "CHATMAI__PLATFORMS__FACEBOOK__APP_SECRET_FILE": str(cls.secret_file),
                "CHATMAI__PLATFORMS__FACEBOOK__VERIFY_TOKEN_FILE": str(cls.secret_file),
                "CHATMAI__LOGGING__LEVEL": "debug",
            },
        )
        cls.fill()
        cls.keys, cls.other_keys = cls.export(cls.workspace), cls.export(cls.other)
        cls.file = cls.house.data_files(cls.workspace, "events")[0]

    @classmethod
    def fill(cls):
        """Two workspaces with equal content, by import and by webhook; a dead letter; a token in the vault."""
        run = cls.house.run
        cls.workspace, cls.other = (
            run("workspace", "add", f"{CANARY} shop {n}", "--time-zone", "Asia/Bangkok")["workspace"] for n in range(2)
        )
        lines = "\n".join(import_lines(MESSAGES, days_ago=2)) + "\n" + "\n".join(import_lines(10, days_ago=3)) + "\n"
        for workspace in (cls.workspace, cls.other):
            done = run("import", "--workspace", workspace, "-", stdin=lines)
            assert (done["lines"], done["appended"], done["bad"]) == (MESSAGES + 10, MESSAGES + 10, 0), done
        arguments = ("--platform", "line", "--name", f"{CANARY} account", "--destination", DESTINATION)
        connection = run("connection", "add", "--workspace", cls.workspace, *arguments, "--secret-file", cls.secret_file)
        cls.key = run("key", "add", "--workspace", cls.workspace, "--scope", "read")["key"]
        with cls.house.up() as api:
            path = connection["webhook_path"]
            assert api.line_webhook(path, SECRET, line_text(1)) == 200
            assert api.line_webhook(path, SECRET, f"{CANARY} is no JSON".encode()) == 200
            assert api.line_webhook(path, "another secret", line_text(2)) == 401
            status, cls.events = api.events(cls.key)
            assert status == 200, cls.events
            cls.leaks_while_running = list(leaks(cls.house.directory))
        # SIGTERM has committed everything.

    @classmethod
    def export(cls, workspace, *more):
        out = cls.outside / f"keys-{workspace}-{len(more)}.json"
        cls.house.run("key", "export", "--workspace", workspace, *more, "--out", out)
        assert stat.S_IMODE(out.stat().st_mode) == 0o600, oct(out.stat().st_mode)
        return json.loads(out.read_text())

    def test_pyarrow_sees_the_rows(self):
        texts, days = [], set()
        for path in self.house.data_files(self.workspace, "events"):
            table = read_table(path, self.keys)
            days.add(path.parent.parent.name)
            texts += [row["text"] for row in table.to_pylist() if row["kind"] == "message"]
            for column in ("event_id", "conversation", "kind", "event_at", "received_at", "log_offset", "text"):
                self.assertIn(column, table.column_names)
            self.assertEqual(len(set(table["event_id"].to_pylist())), table.num_rows, "ids differ")
        expected = [text_of(n) for n in range(MESSAGES)] + [text_of(n) for n in range(10)] + [text_of(1)]
        self.assertEqual(sorted(texts), sorted(expected))
        self.assertLessEqual({instant(2)[:10], instant(3)[:10]}, days)

    def test_the_api_says_the_same(self):
        self.assertEqual(len(self.events), MESSAGES + 11)
        self.assertEqual(len({event["id"] for event in self.events}), MESSAGES + 11)

    def test_dead_letters_and_states_open_too(self):
        letters = [row for path in self.house.data_files(self.workspace, "dead_letters")
                   for row in read_table(path, self.keys).to_pylist()]
        self.assertEqual([row["raw"] for row in letters], [f"{CANARY} is no JSON".encode()])
        for path in self.house.data_files(self.workspace, "conversations"):
            self.assertGreater(read_table(path, self.keys).num_rows, 0)

    def test_every_file_has_its_own_key_of_32_bytes_under_its_day(self):
        for workspace, keys in ((self.workspace, self.keys), (self.other, self.other_keys)):
            for table in ("events", "conversations", "dead_letters"):
                for path in self.house.data_files(workspace, table):
                    unwrapped = []
                    read_table(path, keys, unwrapped)
                    day, retention = path.parts[-3:-1]
                    self.assertEqual(set(unwrapped), {(f"w/{workspace}/{day}/{retention}", 32)})

    def test_every_file_is_encrypted_whole(self):
        paths = list(self.house.directory.glob("store/**/*.parquet"))
        self.assertGreaterEqual(len(paths), 4)
        for path in paths:
            content = path.read_bytes()
            self.assertEqual((content[:4], content[-4:]), (b"PARE", b"PARE"))
            with self.assertRaises(OSError):
                pq.ParquetFile(path)

    def test_without_the_key_it_does_not_open(self):
        name = f"w/{self.workspace}/{instant(2)[:10]}/r356"
        file = next(p for p in self.house.data_files(self.workspace, "events") if instant(2)[:10] in str(p))
        others = {key: value for key, value in self.keys.items() if key != name}
        self.assertEqual(len(others), len(self.keys) - 1)
        foreign = next(iter(self.other_keys.values()))
        for keys in ({}, others, self.other_keys, {name: foreign}, {**self.other_keys, **others}):
            with self.assertRaises(Exception):
                read_table(file, keys)
        self.assertGreater(read_table(file, {name: self.keys[name]}).num_rows, 0)

    def test_keys_of_one_day_are_those_of_that_day(self):
        day = instant(2)[:10]
        keys = self.export(self.workspace, "--day", day)
        self.assertEqual(keys, {name: key for name, key in self.keys.items() if f"/{day}/" in name})
        self.assertTrue(keys)

    def test_a_flipped_byte_never_gives_other_rows(self):
        content = self.file.read_bytes()
        expected = read_table(self.file, self.keys)
        generator = random.Random(SEED)
        regions = regions_of(content, self.file, self.keys)
        flipped = self.outside / "flipped.parquet"
        for name, (start, end, must_fail) in regions.items():
            self.assertLess(start, end, name)
            for at in {start, end - 1, *(generator.randrange(start, end) for _ in range(12))}:
                copy = bytearray(content)
                copy[at] ^= 1 << generator.randrange(8)
                flipped.write_bytes(copy)
                try:
                    rows = read_table(flipped, self.keys)
                except Exception:
                    continue
                self.assertFalse(must_fail, f"byte {at} of {name} was changed, and PyArrow read on (seed {SEED})")
                self.assertEqual(rows, expected, f"byte {at} of {name} (seed {SEED})")

    def test_our_own_reader_refuses_what_was_changed(self):
        regions = regions_of(self.file.read_bytes(), self.file, self.keys)
        for name, (start, end, _) in regions.items():
            with self.subTest(name):
                content = bytearray(self.file.read_bytes())
                # Five neighbours: our reader takes the length of a part of the index, four bytes, from the footer.
                middle = (start + end) // 2
                for at in range(middle, min(middle + 5, end)):
                    content[at] ^= 1
                # Our reader expects the name that the catalog says, and does not ask the file for it.
                self.assert_refused(name, content, or_unchanged=name in ("first magic", "name of the file in the footer"))

    def test_a_file_of_another_place_is_refused(self):
        day = self.file.parts[-3]
        same_workspace = next(p for p in self.house.data_files(self.workspace, "events") if p.parts[-3] != day)
        foreign = next(p for p in self.house.data_files(self.other, "events") if p.parts[-3] == day)
        for name, source in (("another day", same_workspace), ("another workspace", foreign)):
            with self.subTest(name):
                self.assert_refused(name, source.read_bytes())

    def assert_refused(self, name, content, or_unchanged=False):
        """Puts the bytes in the place of a data file; the API must answer with `integrity`, and with no row of it."""
        house = self.house.copy(self.outside / "damaged")
        try:
            (house.directory / self.file.relative_to(self.house.directory)).write_bytes(content)
            with house.up() as api:
                status, answer = api.events(self.key)
            if or_unchanged and status == 200:
                self.assertEqual(answer, self.events, name)
            else:
                self.assertEqual(status, 500, name)
                self.assertEqual(answer["code"], "integrity", name)
            self.assertNotIn(CANARY, "".join(house.said))
        finally:
            shutil.rmtree(house.directory)

    def test_nothing_that_was_put_in_is_found_on_the_disk(self):
        self.assertEqual(self.leaks_while_running, [])
        self.assertEqual(list(leaks(self.house.directory)), [])
        for words in self.house.said:
            self.assertNotIn(CANARY, words)
        files = [path.name for path in self.house.directory.rglob("*")]
        for name in ("catalog.db", "keys.db", "vault.db"):
            self.assertIn(name, files, "the search saw the stores")

    def test_the_search_finds_what_is_there(self):
        with tempfile.TemporaryDirectory() as directory:
            for n, word in enumerate(("", "a", "ab", "abc")):
                coded = base64.b64encode(f"{word}{CANARY}zz".encode())
                (pathlib.Path(directory) / f"base64-{n}").write_bytes(coded)
            (pathlib.Path(directory) / "text").write_text(f"x{CANARY}y")
            (pathlib.Path(directory) / "hex").write_text(f"x{CANARY}y".encode().hex())
            self.assertEqual(len(list(leaks(directory))), 6)


def regions_of(content, path, keys):
    """Where the parts of a file lie, as (start, end, whether PyArrow must notice a change in any byte).

    PyArrow looks neither at the first magic number nor at the page index, and so cannot notice. Our own reader reads
    the index.
    """
    end = len(content)
    footer = end - 8 - int.from_bytes(content[end - 8 : end - 4], "little")
    material = content.index(b'{"keyMaterialType"', footer)
    material_end = content.index(b"}", material) + 1
    prefix = content.index(b"cm1|", footer)
    wrapped = content.index(b'"wrappedDEK":"', material) + len(b'"wrappedDEK":"')
    wrapped_end = content.index(b'"', wrapped)
    # The footer follows the clear header: the header's end mark, then a length of 4 bytes.
    sealed = material_end + 1
    data_end, first_page_end = data_ends(path, keys)
    return {
        "first magic": (0, 4, False),
        "first page": (4, first_page_end, True),
        "middle": (first_page_end, data_end, True),
        "page index": (data_end, footer, False),
        "name of the file in the footer": (prefix, content.index(b"\x18", prefix), True),
        "wrapped key": (wrapped, wrapped_end - 1, True),
        "footer": (sealed, end - 8, True),
        "length": (end - 8, end - 4, True),
        "last magic": (end - 4, end, True),
    }


def data_ends(path, keys):
    """Where the data ends and where the first column ends."""
    import pyarrow.parquet.encryption as pe

    from read_with_pyarrow import ExportedKeys

    factory = pe.CryptoFactory(lambda _: ExportedKeys(keys))
    properties = factory.file_decryption_properties(pe.KmsConnectionConfig(), pe.DecryptionConfiguration())
    with pq.ParquetFile(path, decryption_properties=properties) as file:
        metadata = file.metadata
    ends = []
    for group in range(metadata.num_row_groups):
        for n in range(metadata.num_columns):
            column = metadata.row_group(group).column(n)
            start = column.dictionary_page_offset or column.data_page_offset
            ends.append(start + column.total_compressed_size)
    return max(ends), ends[0]


if __name__ == "__main__":
    if "CHATMAI_BIN" not in os.environ:
        sys.exit("set CHATMAI_BIN to the chatmai binary")
    unittest.main(verbosity=2)
