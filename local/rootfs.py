"""The base image where no registry can be reached: a minimal Debian, made by mmdebstrap from this machine's sources."""

import hashlib
import re
import shutil
from pathlib import Path

from local import versions
from local.shell import run

SUITE = versions.image("debian")
ARCHIVE = "rootfs.tar"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES = Path("/etc/apt")
# As Debian's own slim images: no manuals, no translations. A build need not survive a power cut.
OPTIONS = (
    "--variant=minbase",
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--aptopt=Acquire::Languages "none"',
)
_CONTAINERFILE = f'FROM scratch\nADD {ARCHIVE} /\nCMD ["/bin/sh"]\n'


def reference() -> str:
    """Return the name of the base image: a hash of how it is made."""
    return f"localhost/ember/debian:{hashlib.sha256(repr((SUITE, OPTIONS, _CONTAINERFILE)).encode()).hexdigest()[:16]}"


def make(context: Path) -> None:
    """Write a build context of the base image."""
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    lines = "".join(f"{line}\n" for line in sources(_apt_files(), SUITE))
    # Without a line of ours, mmdebstrap takes Debian's own mirror.
    given = ["-"] if lines else []
    run(["mmdebstrap", *OPTIONS, SUITE, context / ARCHIVE, *given], stdin=lines or None)
    (context / "Containerfile").write_text(_CONTAINERFILE)


def _apt_files() -> list[str]:
    paths = [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").glob("*"))]
    return [path.read_text() for path in paths if path.suffix in {".list", ".sources"} and path.is_file()]


def sources(files: list[str], suite: str) -> list[str]:
    """Return the lines of a sources.list with this machine's Debian mirrors, for another suite.

    Security and other updates come along if this machine has them.
    """
    found = [entry for text in files for entry in (*_deb822(text), *_one_line(text))]
    lines = []
    for uri, name in found:
        own = re.fullmatch(r"[a-z]+((?:-security|-updates)?)", name)
        if own and re.search(r"/debian(-security)?/?$", uri):
            signed = f"[signed-by={KEYRING}]"
            lines.append(f"deb {signed} {uri} {suite}{own[1]} main")
    return list(dict.fromkeys(lines))


def _deb822(text: str) -> list[tuple[str, str]]:
    entries = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.+)$", stanza, re.MULTILINE))
        if "deb" in fields.get("Types", "").split():
            entries += [(uri, name) for uri in fields.get("URIs", "").split() for name in fields["Suites"].split()]
    return entries


def _one_line(text: str) -> list[tuple[str, str]]:
    lines = re.findall(r"^deb\s+(?:\[[^]]*]\s*)?(\S+)\s+(\S+)", text, re.MULTILINE)
    return [(uri, name) for uri, name in lines]
