"""``sparkSubmitParameters``: EMR's line of spark-submit options -> data. No shell, no spark-submit.

An allow-list: an option that is not in the tables is refused by name. Source of the options: Spark's
``SparkSubmitOptionParser``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ember.model.conf_policy import refusals

# Options which only set a property; as in spark-submit, they win over --conf.
_PROPERTY_OPTIONS: Mapping[str, str] = {
    "--name": "spark.app.name",
    "--driver-memory": "spark.driver.memory",
    "--driver-cores": "spark.driver.cores",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances",
    "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-class-path": "spark.driver.extraClassPath",
    "--driver-library-path": "spark.driver.extraLibraryPath",
}
_LIST_OPTIONS: Mapping[str, str] = {
    "--jars": "jars",
    "--py-files": "py_files",
    "--files": "files",
    "--archives": "archives",
    "--packages": "packages",
    "--repositories": "repositories",
    "--exclude-packages": "exclude_packages",
}
_CONF_OPTIONS = ("--conf", "-c")
_CLASS_OPTION = "--class"
_IGNORED_FLAGS = ("--verbose", "-v")

# Options of spark-submit which are refused, with the reason; the rest is "unknown".
_REFUSED_OPTIONS: Mapping[str, str] = {
    "--master": "is set by Ember",
    "--remote": "is set by Ember",
    "--deploy-mode": "is set by Ember",
    "--proxy-user": "is not supported: a run has the identity of its namespace",
    "--principal": "is not supported: there is no Kerberos",
    "--keytab": "is not supported: there is no Kerberos",
    "--properties-file": "is not supported: use --conf, or applicationConfiguration",
    "--load-spark-defaults": "is not supported: use runtimeConfiguration",
    "--queue": "is not supported: it is an option of YARN",
    "--supervise": "is not supported: use retryPolicy",
    "--total-executor-cores": "is not supported: it is an option of standalone clusters",
    "--kill": "does not start a run",
    "--status": "does not start a run",
    "--help": "does not start a run",
    "-h": "does not start a run",
    "--version": "does not start a run",
    "--usage-error": "does not start a run",
}

# Pieces of words; a word is what stands between white space. The quantifiers are possessive: no input is slow.
_PART = re.compile(
    r"""(?P<space>[ \t\r\n]++)|(?P<plain>[^ \t\r\n'"\\]++)|'(?P<single>[^']*+)'|"(?P<double>(?:[^"\\]++|\\.)*+)\""""
    r"""|(?P<continuation>\\\r?\n)|\\(?P<escaped>.)""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"""\\(["\\])""")
_EQUALS_FORM = re.compile(r"(--[^=]+)=(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SubmitParameters:
    """What the options of one run ask for; nothing here has been resolved or read."""

    conf: Mapping[str, str] = field(default_factory=dict)
    """Spark properties, those of the short options (``--executor-memory``) included."""
    main_class: str | None = None
    """Class of a jar's entry point."""
    jars: tuple[str, ...] = ()
    py_files: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    exclude_packages: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """The application name, if it is given."""
        return self.conf.get("spark.app.name")

    def submit_arguments(self) -> list[str]:
        """Return the options other than properties again, as spark-submit takes them."""
        arguments = [_CLASS_OPTION, self.main_class] if self.main_class else []
        for option, attribute in _LIST_OPTIONS.items():
            if values := getattr(self, attribute):
                arguments += [option, ",".join(values)]
        return arguments


def parse_submit_parameters(text: str | None) -> SubmitParameters:
    """Parse ``sparkSubmitParameters``.

    Quotes and backslashes work as in a POSIX shell; nothing is expanded. ValueError, naming the option or the
    property, for whatever a run may not set.
    """
    conf: dict[str, str] = {}
    properties: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    main_class: str | None = None
    for option, value in _options(split_words(text or "", "sparkSubmitParameters")):
        if option in _CONF_OPTIONS:
            key, separator, setting = value.partition("=")
            if not separator:
                raise ValueError(f"sparkSubmitParameters: --conf takes key=value, not {_shown(value)}")
            conf[key.strip()] = setting
        elif option == _CLASS_OPTION:
            main_class = value
        elif option in _PROPERTY_OPTIONS:
            properties[_PROPERTY_OPTIONS[option]] = value
        else:
            lists[_LIST_OPTIONS[option]] = tuple(item for part in value.split(",") if (item := part.strip()))
    conf |= properties
    if refused := refusals(conf):
        raise ValueError(f"sparkSubmitParameters: {'; '.join(refused[:3])}")
    return SubmitParameters(conf=conf, main_class=main_class, **lists)


def split_words(text: str, what: str) -> list[str]:
    """Split as a POSIX shell does, but expand nothing. Raises ValueError, naming `what` it is, for an open quote.

    Not by shlex, which takes 0.3 s for the 100 KB that EMR allows, and keeps a shell's line continuations.
    """
    if "\x00" in text:
        raise ValueError(f"{what} holds a NUL character")
    words: list[list[str]] = []
    position, within = 0, False
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            wrong = "ends in a backslash" if text[position] == "\\" else f"has a {text[position]} that is not closed"
            raise ValueError(f"{what} {wrong}")
        position = part.end()
        if part.lastgroup == "space":
            within = False
        elif part.lastgroup != "continuation":
            if not within:
                words.append([])
            within = True
            words[-1].append(_unquoted(part))
    return ["".join(word) for word in words]


def _unquoted(part: re.Match[str]) -> str:
    text = part[part.lastgroup or 0]
    # Within double quotes a backslash is itself, save before a quote or another backslash.
    return _ESCAPED.sub(r"\1", text) if part.lastgroup == "double" else text


def _options(tokens: list[str]) -> list[tuple[str, str]]:
    """Pair options with their values; flags without an effect are left out."""
    pairs: list[tuple[str, str]] = []
    rest = iter(tokens)
    for token in rest:
        equals = _EQUALS_FORM.fullmatch(token)
        option, value = (equals[1], equals[2]) if equals else (token, None)
        if option in _IGNORED_FLAGS and value is None:
            continue
        _check_option(option)
        if value is None:
            value = next(rest, None)
        if not value:
            raise ValueError(f"sparkSubmitParameters: {option} has no value")
        pairs.append((option, value))
    return pairs


def _check_option(option: str) -> None:
    if option in _REFUSED_OPTIONS:
        raise ValueError(f"sparkSubmitParameters: {option} {_REFUSED_OPTIONS[option]}")
    if option not in (*_CONF_OPTIONS, _CLASS_OPTION, *_PROPERTY_OPTIONS, *_LIST_OPTIONS):
        kind = "is unknown" if option.startswith("-") else "is not an option: use entryPointArguments"
        raise ValueError(f"sparkSubmitParameters: {_shown(option)} {kind}")


def _shown(text: str) -> str:
    """Return what a user wrote for a message: cut, and nothing after '=', which may be a secret."""
    name = text.partition("=")[0]
    return repr(name if len(name) <= 60 else name[:60] + "...")
