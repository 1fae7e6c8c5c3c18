"""Where a rehearsal plays: its settings, its stand-in store, its folder. Nothing of it is there after the warm-up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ember.worker import properties
from ember.worker.interpreter import DRIVER_PYTHON, PYTHON
from ember.worker.settings import Settings, write_private
from ember.worker.warm import store
from ember.worker.warm.loopback import LOOPBACK, Server
from ember.worker.zygotes import DAEMON_MODULE, STUB

SCRIPT = Path(__file__).parent / "scripts" / "rehearsal.py"
# 24 words: some for each of several tasks.
_TEXT = b"a b c d e f g h i j k l m n o p q r s t u v w x\n" * 100


@dataclass
class Stage:
    """One pod's rehearsals."""

    settings: Settings
    folder: Path
    bucket: Server | None = None

    @property
    def log(self) -> Path:
        """Where everything says what would otherwise be in the pod's log."""
        return self.folder / "warm-up.log"

    @property
    def asked(self) -> Path:
        """A file which is there once a context has asked for an executor; the script waits for it."""
        return self.folder / "asked"

    @property
    def base(self) -> str:
        """Where the rehearsals read and write."""
        return "s3a://rehearsal" if self.bucket else f"file://{self.folder}"

    def open(self) -> None:
        """Put the input there. An image without S3A rehearses with files."""
        if "hadoop-aws" in self.settings.paths.java_args.read_text():
            self.bucket = store.start({"in/a.txt": _TEXT, "logs/": b"", SCRIPT.name: SCRIPT.read_bytes()})
        else:
            for name, data in (("in/a.txt", _TEXT), ("logs/.keep", b"")):
                (self.folder / name).parent.mkdir(exist_ok=True)
                (self.folder / name).write_bytes(data)

    def close(self) -> None:
        """End the stand-in."""
        if self.bucket:
            self.bucket.close()

    def actor(self) -> Settings:
        """The settings of a worker that plays an executor here."""
        paths = replace(self.settings.paths, run=self.folder)
        return replace(self.settings, pod_ip=LOOPBACK, pod_name="rehearsal-1", paths=paths)

    def arguments(self, contexts: Sequence[str], tasks: int, conf: Mapping[str, str]) -> list[str]:
        """SparkSubmit's arguments for one rehearsal, given in the same way as those of a run.

        `contexts` says what each of the script's contexts does, `tasks` how many there are of a kind.
        """
        write_private(self.folder / "rehearsal.properties", properties.dump({**self._conf(), **conf}))
        entry_point = f"{self.base}/{SCRIPT.name}" if self.bucket else str(SCRIPT)
        script = [entry_point, str(self.log), str(self.asked), self.base, str(tasks), *contexts]
        return ["--properties-file", str(self.folder / "rehearsal.properties"), "--load-spark-defaults", *script]

    def _conf(self) -> dict[str, str]:
        """What runs have, too, so that the same code is compiled; all addresses are on loopback, all keys made up."""
        write_private(self.folder / "spark-auth", "rehearsal")
        conf = {
            "spark.submit.deployMode": "client",
            DRIVER_PYTHON: str(self.settings.paths.run / STUB),
            PYTHON: str(self.settings.paths.python),
            DAEMON_MODULE[0]: DAEMON_MODULE[1],
            "spark.driver.host": LOOPBACK,
            "spark.driver.bindAddress": LOOPBACK,
            "spark.ui.enabled": "false",
            "spark.authenticate": "true",
            "spark.network.crypto.enabled": "true",
            "spark.scheduler.minRegisteredResourcesRatio": "0",
            "spark.sql.shuffle.partitions": "2",
            # It would keep the rehearsal's Hadoop settings as long as the JVM lives.
            "spark.sql.defaultUrlStreamHandlerFactory.enabled": "false",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.rolling.enabled": "true",
            "spark.eventLog.dir": f"{self.base}/logs",
            "spark.eventLog.compress": "true",
        }
        return conf | {f"spark.hadoop.{name}": value for name, value in self.store().items()}

    def store(self) -> dict[str, str]:
        """Hadoop's settings for the stand-in.

        The credentials come from the pod's own endpoint, as those of runs do; it answers with made-up ones now.
        """
        if not self.bucket:
            return {}
        return {
            "fs.s3a.endpoint": self.bucket.url,
            "fs.s3a.endpoint.region": "us-east-1",
            "fs.s3a.path.style.access": "true",
            "fs.s3a.connection.ssl.enabled": "false",
            "fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.ContainerCredentialsProvider",
        }

    def kubernetes(self, url: str) -> dict[str, str]:
        """The settings of a driver that asks a stand-in for its executors."""
        secret = str(self.folder / "spark-auth")
        return {
            "spark.master": f"k8s://{url}",
            "spark.kubernetes.driver.master": url,
            "spark.kubernetes.submitInDriver": "true",
            "spark.kubernetes.namespace": "default",
            "spark.kubernetes.driver.pod.name": "rehearsal",
            "spark.kubernetes.container.image": "none",
            "spark.kubernetes.executor.disableConfigMap": "true",
            "spark.kubernetes.driver.service.deleteOnTermination": "false",
            "spark.kubernetes.driver.ownPersistentVolumeClaim": "false",
            "spark.kubernetes.driver.reusePersistentVolumeClaim": "false",
            "spark.kubernetes.authenticate.oauthTokenFile": secret,
            "spark.kubernetes.authenticate.driver.mounted.oauthTokenFile": secret,
            "spark.kubernetes.allocation.batch.delay": "200ms",
            "spark.authenticate.secret.file": secret,
        }
