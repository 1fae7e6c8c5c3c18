"""sparkSubmitParameters: what is understood, and what is refused."""

import shlex
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ember.model.conf_policy import ALLOWED, REFUSED, refusals, refuse
from ember.model.submit import SubmitParameters, parse_submit_parameters, split_words


def test_emr_users_parameters() -> None:
    got = parse_submit_parameters(
        "--class org.example.Main --conf spark.executor.cores=1\n  --conf 'spark.driver.extraJavaOptions=-Da=b -Dc=d' "
        '--jars s3://b/a.jar,s3://b/b.jar --py-files "s3://b/my lib.zip" --name "my job" --executor-memory 2g '
        "--verbose --conf=spark.sql.shuffle.partitions=8 --packages org:a:1 --files=s3://b/f -c spark.x=y=z"
    )
    assert got == SubmitParameters(
        conf={
            "spark.executor.cores": "1",
            "spark.driver.extraJavaOptions": "-Da=b -Dc=d",
            "spark.sql.shuffle.partitions": "8",
            "spark.x": "y=z",
            "spark.app.name": "my job",
            "spark.executor.memory": "2g",
        },
        main_class="org.example.Main",
        jars=("s3://b/a.jar", "s3://b/b.jar"),
        py_files=("s3://b/my lib.zip",),
        files=("s3://b/f",),
        packages=("org:a:1",),
    )
    assert got.name == "my job"


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--name", "spark.app.name"),
        ("--driver-memory", "spark.driver.memory"),
        ("--driver-cores", "spark.driver.cores"),
        ("--executor-memory", "spark.executor.memory"),
        ("--executor-cores", "spark.executor.cores"),
        ("--num-executors", "spark.executor.instances"),
        ("--driver-java-options", "spark.driver.extraJavaOptions"),
    ],
)
def test_short_options_win_over_conf_as_in_spark_submit(option: str, key: str) -> None:
    assert parse_submit_parameters(f"{option} short --conf {key}=long").conf == {key: "short"}


def test_the_last_of_a_repeated_option_counts() -> None:
    got = parse_submit_parameters("--conf spark.a=1 --conf spark.a=2 --jars a --jars b,,c")
    assert (got.conf, got.jars) == ({"spark.a": "2"}, ("b", "c"))


@pytest.mark.parametrize("text", [None, "", "   ", "\n"])
def test_no_parameters_ask_for_nothing(text: str | None) -> None:
    assert parse_submit_parameters(text) == SubmitParameters()
    assert SubmitParameters().submit_arguments() == []
    assert SubmitParameters().name is None


def test_nothing_is_expanded() -> None:
    got = parse_submit_parameters("--conf spark.a=$HOME --conf spark.b=`id` --conf 'spark.c=$(id);*'")
    assert got.conf == {"spark.a": "$HOME", "spark.b": "`id`", "spark.c": "$(id);*"}


def test_a_command_copied_from_a_shell_is_taken() -> None:
    got = parse_submit_parameters("--class X \\\n  --conf spark.a=1 \\\r\n  --conf spark.b='2'\"3\"4\\ 5\n")
    assert got == SubmitParameters(main_class="X", conf={"spark.a": "1", "spark.b": "234 5"})


@settings(max_examples=500)
@given(st.text(alphabet=["a", " ", "\t", "'", '"', "\\", "=", "-", "#", "ä"], max_size=30))
def test_words_are_split_as_a_shell_splits_them(text: str) -> None:
    try:
        expected = shlex.split(text)
    except ValueError:
        with pytest.raises(ValueError, match="sparkSubmitParameters"):
            split_words(text, "sparkSubmitParameters")
    else:
        assert split_words(text, "sparkSubmitParameters") == expected


def test_the_longest_parameters_are_split_quickly() -> None:
    for piece in ("'", '"', '"\\', "a'b'", "--conf spark.a=b ", "\\a", "a "):
        text = piece * (102_400 // len(piece))
        started = time.process_time()
        _parse_or_refuse(text)
        assert time.process_time() - started < 1, piece


def test_arguments_for_spark_submit_come_back() -> None:
    text = "--class X --jars a,b --exclude-packages g:a --repositories https://r --archives v.tar.gz#env"
    again = parse_submit_parameters(text).submit_arguments()
    assert again[:4] == ["--class", "X", "--jars", "a,b"]
    assert parse_submit_parameters(" ".join(again)) == parse_submit_parameters(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--master yarn", "--master is set by Ember"),
        ("--master=yarn", "--master is set by Ember"),
        ("--remote sc://x", "--remote is set by Ember"),
        ("--deploy-mode cluster", "--deploy-mode is set by Ember"),
        ("--proxy-user root", "--proxy-user is not supported"),
        ("--principal p", "--principal is not supported"),
        ("--keytab k", "--keytab is not supported"),
        ("--properties-file f", "--properties-file is not supported"),
        ("--kill x", "--kill does not start a run"),
        ("--version", "--version does not start a run"),
        ("--no-such-option x", "'--no-such-option' is unknown"),
        ("--jars", "--jars has no value"),
        ("--jars ''", "--jars has no value"),
        ("s3://b/x.py", "'s3://b/x.py' is not an option: use entryPointArguments"),
        ("--conf spark.a", "--conf takes key=value, not 'spark.a'"),
        ("--conf 'spark.a=b", "has a ' that is not closed"),
        ('--conf "spark.a=b', 'has a " that is not closed'),
        ("--conf spark.a=b \\", "ends in a backslash"),
        ("--conf spark.a=b\x00", "NUL"),
        ("--conf spark.master=local", "spark.master is set by Ember"),
        ("--conf a.b=c", "a.b is ignored by Spark: properties begin with 'spark.'"),
    ],
)
def test_what_is_refused_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="sparkSubmitParameters") as refused:
        parse_submit_parameters(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "text", ["--secret=hunter2", "spark.password=hunter2", "--conf spark.authenticate.secret=hunter2"]
)
def test_a_message_shows_no_value(text: str) -> None:
    with pytest.raises(ValueError, match="sparkSubmitParameters") as refused:
        parse_submit_parameters(text)
    assert "hunter2" not in str(refused.value)


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    _parse_or_refuse(text)


WORDS = [
    "--conf",
    "-c",
    "--class",
    "--jars",
    "--master",
    "--verbose",
    "spark.a=b",
    "spark.master=x",
    "'",
    '"',
    "\\",
    "=",
    "--",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=12))
def test_any_line_of_options_is_parsed_or_refused(words: list[str]) -> None:
    _parse_or_refuse(" ".join(words))


def _parse_or_refuse(text: str) -> None:
    try:
        got = parse_submit_parameters(text)
    except ValueError as error:
        assert len(str(error)) < 1000
    else:
        assert not refusals(got.conf)


@pytest.mark.parametrize(
    "key",
    [
        "spark.master",
        "spark.submit.deployMode",
        "spark.kubernetes.executor.podTemplateFile",
        "spark.kubernetes.driver.volumes.hostPath.x.mount.path",
        "spark.kubernetes.authenticate.serviceAccountName",
        "spark.kubernetes.container.image",
        "spark.authenticate",
        "spark.authenticate.secret",
        "spark.driver.host",
        "spark.driver.port",
        "spark.driver.bindAddress",
        "spark.app.id",
        "spark.local.dir",
        "spark.eventLog.dir",
        "spark.hadoop.fs.s3a.endpoint",
        "spark.hadoop.fs.s3a.access.key",
        "spark.hadoop.fs.s3a.secret.key",
        "spark.hadoop.fs.s3a.session.token",
        "spark.hadoop.fs.s3a.bucket.mine.access.key",
        "spark.hadoop.fs.s3a.aws.credentials.provider",
        "spark.hadoop.fs.s3n.awsSecretAccessKey",
        "spark.hadoop.fs.s3a.ACCESS.key",
        "spark.emr-serverless.driver.disk.type",
        "spark.emr-serverless.driverEnv.EMBER_BROKER_URL",
        "spark.executorEnv.AWS_SECRET_ACCESS_KEY",
        "spark.executorEnv.",
        "spark.executorEnv.A B",
        "spark.executorEnv.A-B",
        "spark.executor.resource.gpu.amount",
        "hive.exec.parallel",
        "",
        "spark.a b",
        "spark.a\nspark.master",
    ],
)
def test_properties_a_run_may_not_set(key: str) -> None:
    assert refuse(key)
    assert refusals({key: "secret-value"})
    assert "secret-value" not in refusals({key: "secret-value"})[0]


@pytest.mark.parametrize(
    "key",
    [
        *sorted(ALLOWED),
        "spark.executor.memory",
        "spark.sql.shuffle.partitions",
        "spark.dynamicAllocation.maxExecutors",
        "spark.driver.extraJavaOptions",
        "spark.hadoop.fs.s3a.connection.maximum",
        "spark.hadoop.fs.s3a.committer.name",
        "spark.executorEnv.PYSPARK_PYTHON",
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON",
        "spark.jars.packages",
        "spark.master.rest.enabled",
    ],
)
def test_properties_a_run_may_set(key: str) -> None:
    assert refuse(key) is None


def test_every_rule_of_the_policy_has_a_reason_that_completes_a_sentence() -> None:
    assert all(reason.startswith(("is set by", "is not supported")) for reason in REFUSED.values())
