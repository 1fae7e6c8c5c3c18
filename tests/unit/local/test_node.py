import json
import tarfile
from pathlib import Path

import pytest
import yaml

from local import archive
from local.errors import LocalError
from local.native import configuration, node, sysctls, traces
from local.native.layout import DNS_SERVICE, Layout
from local.provider import Provider, current


def test_settings_are_put_back_as_they_were(tmp_path: Path) -> None:
    root, record = tmp_path / "sys", tmp_path / "state" / "sysctls.json"
    setting = root / "vm/overcommit_memory"
    setting.parent.mkdir(parents=True)
    setting.write_text("0\n")
    sysctls.save(record, root)
    setting.write_text("1\n")
    sysctls.save(record, root)  # a second `up`: what it finds is not what was there before
    sysctls.restore(record, root)
    assert setting.read_text() == "0"
    assert not record.exists()


def test_settings_of_an_earlier_boot_are_not_put_back(tmp_path: Path) -> None:
    setting, record = tmp_path / "kernel/panic", tmp_path / "sysctls.json"
    setting.parent.mkdir()
    setting.write_text("10")
    record.write_text(json.dumps({"boot": "earlier", "values": {"kernel/panic": "1"}}))
    sysctls.restore(record, tmp_path)
    assert setting.read_text() == "10"


def test_directories_that_were_there_before_stay(tmp_path: Path) -> None:
    before, after, record = tmp_path / "before", tmp_path / "after", tmp_path / "traces.json"
    before.mkdir()
    traces.save(record, [before, after])
    (after / "deep").mkdir(parents=True)
    traces.remove(record)
    assert before.exists()
    assert not after.exists()


def test_mounts_are_found_below_a_directory_only_and_innermost_first() -> None:
    table = "tmpfs /state/a tmpfs rw\nnone /state/a/b\\040c x rw\nnone /state-other x rw\nnone / x rw\n"
    assert traces.mounts_below(Path("/state"), table) == ["/state/a/b c", "/state/a"]


def test_nothing_is_deleted_through_a_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "precious").touch()
    monkeypatch.setattr(traces, "mount_table", lambda: f"server:/ {tmp_path}/volume nfs rw\n")
    with pytest.raises(LocalError, match="still mounted"):
        traces.remove_tree(tmp_path)
    assert (tmp_path / "volume" / "precious").exists()


def test_a_resolver_on_loopback_is_of_no_use_in_a_pod(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# a comment\nnameserver 127.0.0.53\noptions edns0\n")
    assert configuration.resolver([stub, real]) == stub
    real.write_text("nameserver 10.0.0.1\nnameserver 10.0.0.2\n")
    assert configuration.resolver([stub, real]) == real


def test_the_kubelets_configuration_takes_many_pods(tmp_path: Path) -> None:
    configuration.write(Layout(tmp_path / "state", tmp_path / "cache"), "pause", "/usr/sbin/runc")
    kubelet = yaml.safe_load((tmp_path / "state" / "config" / "kubelet.yaml").read_text())
    assert kubelet["maxPods"] >= 200
    assert kubelet["serializeImagePulls"] is False


def test_the_dns_servers_address_is_the_one_the_kubelet_tells_pods() -> None:
    services = [item for item in yaml.safe_load_all(node.ADDONS.read_text()) if item["kind"] == "Service"]
    assert [service["spec"]["clusterIP"] for service in services] == [DNS_SERVICE]


def test_an_image_is_made_of_files_and_always_the_same(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    image = archive.Image("ember.local/test:1", ["/usr/bin/program"], {"/usr/bin/program": program})
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    archive.write(image, first)
    archive.write(image, second)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as outer:
        manifest = json.load(outer.extractfile("manifest.json") or pytest.fail("no manifest"))
        assert manifest[0]["RepoTags"] == ["ember.local/test:1"]
        with tarfile.open(fileobj=outer.extractfile(manifest[0]["Layers"][0])) as layer:
            assert layer.getmember("usr/bin/program").mode == 0o755
            assert layer.getmember("tmp").mode == 0o1777
            names = layer.getnames()
            assert names.index("usr") < names.index("usr/bin") < names.index("usr/bin/program")


@pytest.mark.parametrize("name", ["native", "kind"])
def test_a_provider_can_be_chosen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("EMBER_PROVIDER", name)
    chosen: Provider = current()
    assert chosen.name == name


def test_an_unknown_provider_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBER_PROVIDER", "minikube")
    with pytest.raises(LocalError, match="minikube"):
        current()
