"""Write java.args, the one place for the options that every JVM of this image starts with.

The module options come from Spark's own launcher, so that they are those of this release. The class path is
spelled out, since the class data archive is valid only for exactly the class path that it was made with; and it holds
no directory, since the JVM archives nothing when there is a non-empty one: the configuration is found by SPARK_CONF_DIR
and by the log4j2 property instead.
"""

import os
import subprocess
import zipfile
from pathlib import Path

SPARK = Path("/opt/spark")
ARGUMENTS = Path("/opt/ember/java.args")
ARCHIVE = Path("/opt/ember/spark.jsa")


def java_arguments(archive: Path | None) -> list[str]:
    """Return the arguments, one option each."""
    jars = sorted((SPARK / "jars").glob("*.jar"), key=_place)
    return [
        # A JVM's warnings go to stdout by default, which is the user's. An archive that does not fit is no news.
        "-Xlog:disable",
        "-Xlog:all=warning,cds*=off:stderr",
        *([f"-XX:SharedArchiveFile={archive}"] if archive else []),
        *_spark_options(),
        f"-Dlog4j2.configurationFile={SPARK}/conf/log4j2.properties",
        "-cp",
        ":".join(map(str, jars)),
    ]


def _place(jar: Path) -> tuple[bool, int, str]:
    """Return a jar's place: slf4j's interface first, as Spark's launcher has it, then those with the most classes.

    A class is looked for in one jar after the other; and for each one, the JVM that writes an archive asks the system
    for every file that stands before its jar, which in the order of the names took as long as all the rest.
    """
    with zipfile.ZipFile(jar) as content:
        classes = sum(name.endswith(".class") for name in content.namelist())
    return not jar.name.startswith("slf4j-api-"), -classes, jar.name


def write(archive: Path | None) -> None:
    """Write the argument file, to be used as `java @/opt/ember/java.args -Xmx... Main`."""
    ARGUMENTS.write_text("".join(f"{argument}\n" for argument in java_arguments(archive)))


def _spark_options() -> list[str]:
    launcher = ["java", "-cp", f"{SPARK}/jars/*", "org.apache.spark.launcher.Main"]
    submit = ["org.apache.spark.deploy.SparkSubmit", "--class", "Main", "main.jar"]
    env = {**os.environ, "SPARK_HOME": str(SPARK), "SPARK_SCALA_VERSION": "2.13"}
    said = subprocess.run([*launcher, *submit], env=env, stdout=subprocess.PIPE, check=True).stdout.decode()
    options = said[: said.index(submit[0])].split("\0")
    return [option for option in options if option.startswith(("--", "-D", "-XX"))]
