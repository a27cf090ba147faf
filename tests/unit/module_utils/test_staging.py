# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import stat
import tarfile
import typing as t
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _installed, _staging, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import Content, Settings, release_files
from ansible_collections.evenkeel.fleet.plugins.module_utils._staging import Source

Entry = tuple[str, str, str]  # name, kind (f, x, d, s, h), content or target

PROGRAM = "#!/bin/sh\necho hello\n"
GOOD: list[Entry] = [
    ("./", "d", ""),
    ("notes", "x", PROGRAM),
    ("lib/libx.so.1", "f", "library"),
    ("lib/libx.so", "s", "libx.so.1"),
    ("lib64", "s", "lib"),
    ("share/deep/er/data", "f", "data"),
    ("again", "h", "lib/libx.so.1"),
]


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Only root may give files away; what the tests are interested in is to which group."""
    groups: list[int] = []
    monkeypatch.setattr(os, "fchown", lambda _fd, _user, group: groups.append(group))
    # systemd takes its time to judge a unit; what it says is tested with _systemd.
    monkeypatch.setattr(_systemd, "unit_complaints", lambda _path: [])
    monkeypatch.setattr(_systemd, "unit_exposure", lambda _path: 1.1)
    return groups


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.of("notes", f"{tmp_path}/notes")


def archive(path: Path, entries: t.Iterable[Entry], mode: t.Any = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, kind, text in entries:
            member = tarfile.TarInfo(name)
            # Whatever the packer's machine had: an owner of its own, a setuid bit, and files that all may write.
            member.uid, member.uname, member.mode = 1234, "packer", 0o6777 if kind == "x" else 0o666
            member.type = {
                "d": tarfile.DIRTYPE,
                "s": tarfile.SYMTYPE,
                "h": tarfile.LNKTYPE,
                "c": tarfile.CHRTYPE,
                "p": tarfile.FIFOTYPE,
            }.get(kind, tarfile.REGTYPE)
            data = text.encode() if kind in "fx" else b""
            member.size = len(data)
            member.linkname = text if kind in "sh" else ""
            tar.addfile(member, io.BytesIO(data))
    return path


def content_for(artifact: Path, version: str = "1.0.0", **environment: str) -> Content:
    files = release_files(
        "notes@.service",
        "[Service]\n",
        Settings(
            environment=environment or {"A": "1"},
            slot_environment={"blue": {"PORT": 1}},
            credentials={"key": "k"},
            files={"app.yml": "x", "d/y": "y"},
        ),
    )
    return Content(version, hashlib.sha256(artifact.read_bytes()).hexdigest(), files)


def staged(layout: Layout, tmp_path: Path, entries: t.Iterable[Entry] = tuple(GOOD)) -> tuple[Path, Content, Path]:
    artifact = archive(tmp_path / "notes.tar.gz", entries)
    content = content_for(artifact)
    _staging.stage(layout, content, Source(str(artifact)), "notes", group=42)
    return Path(layout.release(content.id)), content, artifact


def listing(root: Path) -> dict[str, str]:
    def shown(path: Path) -> str:
        return f"-> {os.readlink(path)}" if path.is_symlink() else oct(stat.S_IMODE(path.stat().st_mode))

    return {path.relative_to(root).as_posix(): shown(path) for path in sorted(root.rglob("*"))}


def names(path: str) -> list[str]:
    return sorted(os.listdir(path))


@pytest.mark.parametrize("umask", [0o022, 0o077], ids=oct)
def test_stage_an_archive(layout: Layout, tmp_path: Path, umask: int, owner: list[int]) -> None:
    before = os.umask(umask)
    try:
        release, content, _artifact = staged(layout, tmp_path)
    finally:
        os.umask(before)
    folder, public, program, group, private = "0o755", "0o644", "0o755", "0o640", "0o600"
    slots = {
        f"{slot}/{path}": said
        for slot in ("blue", "green")
        for path, said in {
            "artifact": "-> ../artifact",
            "config": folder,
            "config/app.yml": group,
            "config/d": folder,
            "config/d/y": group,
            "credentials": folder,
            "credentials/key": private,
            "environment": private,
        }.items()
    }
    assert listing(release) == {
        "artifact": folder,
        "artifact/again": public,
        "artifact/lib": folder,
        "artifact/lib/libx.so": "-> libx.so.1",
        "artifact/lib/libx.so.1": public,
        "artifact/lib64": "-> lib",
        "artifact/notes": program,
        "artifact/share": folder,
        "artifact/share/deep": folder,
        "artifact/share/deep/er": folder,
        "artifact/share/deep/er/data": public,
        "blue": folder,
        "green": folder,
        "notes@.service": public,
        "release.json": private,
        **slots,
    }
    assert stat.S_IMODE(release.stat().st_mode) == 0o755
    assert stat.S_IMODE(os.stat(layout.releases).st_mode) == 0o755
    assert (release / "blue/artifact/notes").read_text() == PROGRAM
    assert (release / "blue/environment").read_text() == 'A="1"\nPORT="1"\n'
    assert (release / "green/environment").read_text() == 'A="1"\n'
    assert owner.count(42) == 4, "the group reads the config files and nothing else"
    assert names(layout.releases) == [content.id]
    assert _installed.is_whole(layout, content.id)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_archives_of_every_kind(layout: Layout, tmp_path: Path, mode: str) -> None:
    artifact = archive(tmp_path / "artifact", GOOD, mode)
    content = content_for(artifact)
    _staging.stage(layout, content, Source(str(artifact)), "notes", group=0)
    assert Path(layout.release(content.id), "artifact/notes").read_text() == PROGRAM


def test_stage_a_program(layout: Layout, tmp_path: Path) -> None:
    artifact = tmp_path / "notes-1.0.0-linux"
    artifact.write_bytes(b"#!/bin/sh\nexit 0\n" + bytes(5000))
    content = content_for(artifact)
    _staging.stage(layout, content, Source(str(artifact)), "notes", group=0)
    assert listing(Path(layout.release(content.id), "artifact")) == {"notes": "0o755"}
    assert Path(layout.release(content.id), "artifact/notes").read_bytes() == artifact.read_bytes()
    assert _installed.is_whole(layout, content.id)


def test_equal_inputs_give_an_equal_release(layout: Layout, tmp_path: Path) -> None:
    release, content, artifact = staged(layout, tmp_path)
    elsewhere = Layout.of("notes", f"{tmp_path}/elsewhere")
    _staging.stage(elsewhere, content, Source(str(artifact)), "notes", group=42)
    assert listing(release) == listing(Path(elsewhere.release(content.id)))
    assert _installed.tree(str(release)) == _installed.tree(elsewhere.release(content.id))


DAMAGE: dict[str, t.Callable[[Path], object]] = {
    "a changed byte": lambda root: (root / "artifact/notes").write_text(PROGRAM.replace("h", "j", 1)),
    "a cut file": lambda root: os.truncate(root / "artifact/lib/libx.so.1", 3),
    "a changed environment": lambda root: (root / "blue/environment").write_text('A="2"\n'),
    "a changed mode": lambda root: (root / "artifact/notes").chmod(0o644),
    "a secret that all can read": lambda root: (root / "blue/environment").chmod(0o644),
    "a credential that all can read": lambda root: (root / "green/credentials/key").chmod(0o644),
    "a setuid bit": lambda root: (root / "artifact/notes").chmod(0o4755),
    "a missing file": lambda root: (root / "artifact/share/deep/er/data").unlink(),
    "a missing link": lambda root: (root / "artifact/lib64").unlink(),
    "a missing unit": lambda root: (root / "notes@.service").unlink(),
    "a missing manifest": lambda root: (root / "release.json").unlink(),
    "an empty manifest": lambda root: (root / "release.json").write_text(""),
    "a cut manifest": lambda root: os.truncate(root / "release.json", 20),
    "a manifest of something else": lambda root: (root / "release.json").write_text("[]"),
    "a manifest without a tree": lambda root: (root / "release.json").write_text("{}"),
    "an extra file": lambda root: (root / "artifact/extra").write_text(""),
    "an extra file beside": lambda root: (root / "extra").write_text(""),
    "an extra link": lambda root: (root / "green/extra").symlink_to("/etc/passwd"),
    "an extra link to a directory": lambda root: (root / "green/extra").symlink_to("/etc"),
    "an extra pipe": lambda root: os.mkfifo(root / "artifact/pipe"),
    "a changed link": lambda root: relink(root / "artifact/lib/libx.so", "/etc/passwd"),
    "a changed link to a directory": lambda root: relink(root / "artifact/lib64", "share"),
    "a link in the place of a file": lambda root: relink(root / "artifact/notes", "again"),
    "a link in the place of a slot": lambda root: relink(root / "blue/artifact", "../artifact/lib"),
}


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_healed(layout: Layout, tmp_path: Path, damage: str) -> None:
    release, content, artifact = staged(layout, tmp_path)
    before = listing(release)
    DAMAGE[damage](release)
    assert not _installed.is_whole(layout, content.id)
    _staging.stage(layout, content, Source(str(artifact)), "notes", group=42)
    assert _installed.is_whole(layout, content.id)
    assert listing(release) == before
    assert names(layout.releases) == [content.id]


def test_a_wrong_checksum_is_refused(layout: Layout, tmp_path: Path) -> None:
    artifact = archive(tmp_path / "notes.tar.gz", GOOD)
    content = content_for(artifact)
    artifact.write_bytes(artifact.read_bytes() + b"x")
    with pytest.raises(ValueError, match=rf"its sha256 is [0-9a-f]{{64}}, wanted {content.artifact_sha256}"):
        _staging.stage(layout, content, Source(str(artifact)), "notes", group=0)
    assert names(layout.releases) == []


EVIL: dict[str, list[Entry]] = {
    "up": [("../evil", "f", "x")],
    "absolute": [("{outside}/evil", "f", "x")],
    "link out": [("d", "s", "../../.."), ("d/evil", "f", "x")],
    "absolute link": [("d", "s", "{outside}"), ("d/evil", "f", "x")],
    "hard link out": [("evil", "h", "../../../outside/precious")],
    "target through a link": [("a/b/c/up", "s", "../.."), ("x", "s", "a/b/c/up/../.."), ("x/evil", "f", "x")],
    "name behind a link": [("a/b/c/up", "s", "../.."), ("a/b/c/up/y", "s", "../../z"), ("a/y/evil", "f", "x")],
    "hard link to a link": [("a/b/l", "s", "../../t"), ("h", "h", "a/b/l"), ("h/evil", "f", "x")],
    "device": [("null", "c", "")],
    "pipe": [("pipe", "p", "")],
}


@pytest.mark.parametrize("name", EVIL)
def test_evil_archives_are_refused(layout: Layout, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    entries = [(path.format(outside=outside), kind, text.format(outside=outside)) for path, kind, text in EVIL[name]]
    artifact = archive(tmp_path / "evil.tar.gz", [*GOOD, *entries])
    with pytest.raises(ValueError, match=r"the archive|leads out of its directory"):
        _staging.stage(layout, content_for(artifact), Source(str(artifact)), "notes", group=0)
    assert names(layout.releases) == [], "nothing is left behind"
    assert not list(tmp_path.rglob("evil"))
    assert names(str(outside)) == ["precious"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_cut_archive_is_refused(layout: Layout, tmp_path: Path, mode: str) -> None:
    noise = "".join(hashlib.sha256(bytes([i % 256, i // 256])).hexdigest() for i in range(2000))
    artifact = archive(tmp_path / "notes.tar", [("big", "f", noise)], mode)
    os.truncate(artifact, artifact.stat().st_size * 2 // 3)
    with pytest.raises(ValueError, match=r"artifact .*/notes\.tar cannot be unpacked: "):
        _staging.stage(layout, content_for(artifact), Source(str(artifact)), "notes", group=0)
    assert names(layout.releases) == []


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"], ids=["zip", "zstd", "gzip"])
def test_an_archive_of_another_kind_is_no_program(layout: Layout, tmp_path: Path, head: bytes) -> None:
    artifact = tmp_path / "notes.bin"
    artifact.write_bytes(head + bytes(1000))
    with pytest.raises(ValueError, match=r"notes\.bin cannot be unpacked: it is packed with (zip|zstd|gzip)"):
        _staging.stage(layout, content_for(artifact), Source(str(artifact)), "notes", group=0)
    assert names(layout.releases) == []


@pytest.fixture
def one_mebibyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of the disk is free, and none of it is left alone."""
    monkeypatch.setattr(_files, "SPARE", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1 << 20))


@pytest.mark.usefixtures("one_mebibyte")
def test_what_packs_well_is_measured_unpacked(layout: Layout, tmp_path: Path) -> None:
    artifact = archive(tmp_path / "notes.tar.gz", [*GOOD, ("zeros", "f", "0" * (3 << 20))])
    assert artifact.stat().st_size < 10_000
    with pytest.raises(_files.NoSpaceError, match="1 MiB are free, wanted 3 MiB for the unpacked artifact"):
        _staging.stage(layout, content_for(artifact), Source(str(artifact)), "notes", group=0)
    assert names(layout.releases) == []


@pytest.mark.usefixtures("one_mebibyte")
def test_what_is_left_out_of_an_archive_wants_no_space(layout: Layout, tmp_path: Path) -> None:
    entries = [*((f"dist/{name}", kind, text) for name, kind, text in GOOD[1:3]), ("zeros", "f", "0" * (3 << 20))]
    artifact = archive(tmp_path / "notes.tar.gz", entries)
    content = replace(content_for(artifact), artifact_path="dist")
    _staging.stage(layout, content, Source(str(artifact)), "notes", group=0)
    assert _installed.is_whole(layout, content.id)


@pytest.mark.usefixtures("one_mebibyte")
def test_there_is_space_before_an_artifact_is_copied(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(shutil, "copyfile")
    artifact = tmp_path / "notes.bin"
    artifact.write_bytes(bytes(3 << 20))
    with pytest.raises(_files.NoSpaceError, match=r"wanted 3 MiB for artifact .*/notes.bin "):
        _staging.stage(layout, content_for(artifact), Source(str(artifact)), "notes", group=0)
    assert names(layout.releases) == []


def test_an_artifact_that_is_not_there(layout: Layout, tmp_path: Path) -> None:
    artifact = archive(tmp_path / "notes.tar.gz", GOOD)
    content = content_for(artifact)
    with pytest.raises(FileNotFoundError):
        _staging.stage(layout, content, Source(f"{tmp_path}/absent"), "notes", group=0)
    assert names(layout.releases) == []


def test_a_failure_leaves_the_staged_one_as_it_is(layout: Layout, tmp_path: Path) -> None:
    _release, content, artifact = staged(layout, tmp_path)
    artifact.write_bytes(b"other")
    with pytest.raises(ValueError, match="sha256"):
        _staging.stage(layout, content, Source(str(artifact)), "notes", group=0)
    assert _installed.is_whole(layout, content.id)


@pytest.mark.parametrize(
    ("artifact", "url"),
    [("https://x/y", True), ("http://x/y", True), ("/x/y", False), ("ftp://x", False), ("file:///etc/passwd", False)],
)
def test_what_is_fetched(artifact: str, url: bool) -> None:
    assert Source(artifact).is_url is url


def test_messages_leave_out_a_query_which_may_hold_a_token(
    layout: Layout, tmp_path: Path, served: t.Callable[..., list[int]]
) -> None:
    assert Source("https://x/y?token=hunter2").name == "https://x/y"
    assert Source("/x/y?z").name == "/x/y?z"
    served(b"damaged")
    content = content_for(archive(tmp_path / "notes.tar.gz", GOOD))
    with pytest.raises(ValueError, match=r"^artifact https://x/y: its sha256 is"):
        _staging.stage(layout, content, Source("https://x/y?token=hunter2"), "notes", group=0)


def test_what_a_killed_run_left_is_swept_when_it_is_old(layout: Layout, tmp_path: Path) -> None:
    release, _content, _artifact = staged(layout, tmp_path)
    for name, age in (("old", 5000), ("young", 10)):
        path, part = release.parent / f".staging-{name}", release.parent / f".part-{name}"
        (path / "artifact").mkdir(parents=True)
        part.write_text("half")
        os.utime(path, (100_000 - age, 100_000 - age))
        os.utime(part, (100_000 - age, 100_000 - age))
    _staging.sweep(layout, before=100_000 - 3600)
    assert sorted(entry.name for entry in release.parent.iterdir()) == [".part-young", ".staging-young", release.name]


def test_what_another_run_finished_or_swept_just_then_is_left_alone(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, _content, _artifact = staged(layout, tmp_path)
    there = os.listdir(release.parent)
    monkeypatch.setattr(os, "listdir", lambda _path: [".part-gone", ".staging-gone", *there])
    _staging.sweep(layout, before=100_000)
    assert release.is_dir()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., list[int]]:
    """What a URL holds. Downloads go on, as they do from a real server; how much was there is recorded."""

    def serve(data: bytes) -> list[int]:
        found: list[int] = []

        def download(_url: str, to: str, _headers: object, _proxy: str) -> None:
            there = Path(to).read_bytes() if os.path.exists(to) else b""
            found.append(len(there))
            Path(to).write_bytes(there + data[len(there) :])

        monkeypatch.setattr(_staging, "download", download)
        return found

    return serve


@pytest.mark.parametrize(
    ("left", "found"), [(b"", [0]), (PROGRAM[:5].encode(), [5]), (b"something else", [14, 0])], ids=["", "part", "else"]
)
def test_what_an_interrupted_download_left_is_used_if_it_can_be(
    layout: Layout, tmp_path: Path, served: t.Any, left: bytes, found: list[int]
) -> None:
    artifact = tmp_path / "notes.bin"
    artifact.write_text(PROGRAM)
    content = content_for(artifact)
    os.makedirs(layout.releases)
    Path(layout.releases, f".part-{content.artifact_sha256}").write_bytes(left)
    seen = served(PROGRAM.encode())
    _staging.stage(layout, content, Source("https://example.org/notes"), "notes", group=0)
    assert seen == found
    assert _installed.is_whole(layout, content.id)
    assert names(layout.releases) == [content.id]


def test_two_downloads_at_once_do_not_mix(layout: Layout, tmp_path: Path, served: t.Any) -> None:
    artifact = tmp_path / "notes.bin"
    artifact.write_text(PROGRAM)
    content = content_for(artifact)
    os.makedirs(layout.releases)
    path = Path(layout.releases, f".part-{content.artifact_sha256}")
    with path.open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        part.write(b"half")
        part.flush()
        seen = served(PROGRAM.encode())
        _staging.stage(layout, content, Source("https://example.org/notes"), "notes", group=0)
    assert seen == [0]
    assert path.read_bytes() == b"half"
    assert _installed.is_whole(layout, content.id)


def test_a_wrong_download_is_refused_and_not_kept(layout: Layout, tmp_path: Path, served: t.Any) -> None:
    artifact = tmp_path / "notes.bin"
    artifact.write_text(PROGRAM)
    served(b"something else")
    with pytest.raises(ValueError, match=r"example\.org/notes: its sha256 is [0-9a-f]{64}, wanted [0-9a-f]{64}"):
        _staging.stage(layout, content_for(artifact), Source("https://example.org/notes"), "notes", group=0)
    assert names(layout.releases) == []


def test_a_directory_of_the_archive(layout: Layout, tmp_path: Path) -> None:
    inner = [(f"notes-1.0/{name}", kind, f"notes-1.0/{text}" if kind == "h" else text) for name, kind, text in GOOD]
    artifact = archive(tmp_path / "notes.tar.gz", [("README", "f", "x"), *inner, ("notes-1.0.1/notes", "x", "other")])
    content = replace(content_for(artifact), artifact_path="notes-1.0")
    _staging.stage(layout, content, Source(str(artifact)), "notes", group=0)
    release = Path(layout.release(content.id))
    assert (release / "artifact/notes").read_text() == PROGRAM
    assert names(str(release / "artifact")) == ["again", "lib", "lib64", "notes", "share"]


@pytest.mark.parametrize(
    ("path", "entries", "complaint"),
    [
        ("notes-2.0", GOOD, "the archive holds no directory notes-2.0; at its top there are: again, lib, lib64, notes"),
        ("notes", GOOD, "the archive holds no directory notes; at its top"),
        ("lib", [("lib/notes", "x", ""), ("lib/up", "s", "../share")], "leads out of its directory"),
        ("lib", [("share", "f", ""), ("lib/notes", "h", "share")], "leads out of its directory|no file of its own"),
        ("lib", None, "it is no tar archive, so there is no lib in it"),
    ],
)
def test_a_directory_that_is_not_there_or_leads_out_is_refused(
    layout: Layout, tmp_path: Path, path: str, entries: list[Entry] | None, complaint: str
) -> None:
    artifact = tmp_path / "notes.tar.gz"
    if entries is None:
        artifact.write_text(PROGRAM)
    else:
        archive(artifact, entries)
    content = replace(content_for(artifact), artifact_path=path)
    with pytest.raises(ValueError, match=complaint):
        _staging.stage(layout, content, Source(str(artifact)), "notes", group=0)
    assert names(layout.releases) == []


def test_a_unit_that_systemd_would_ignore_a_part_of_is_refused(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_systemd, "unit_complaints", lambda _path: ["Unknown key 'PrivatTmp'"])
    with pytest.raises(ValueError, match=r"^unit: systemd on this host would ignore a part of it: Unknown key"):
        staged(layout, tmp_path)
    assert names(layout.releases) == []


def test_a_release_knows_how_exposed_it_is(layout: Layout, tmp_path: Path) -> None:
    _release, content, _artifact = staged(layout, tmp_path)
    assert _installed.manifest(layout, content.id)["exposure"] == 1.1
