"""Pydantic models -> structural schemas, as Kubernetes' CustomResourceDefinitions take them.

Two steps. ``expand`` resolves references and optional types, and keeps the marks of unsupported fields (the reference
pages read them). ``structural`` turns marks and rules for keys of maps into CEL rules.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ember.model.base import UNSUPPORTED_KEY, OnlySupported, as_text

Schema = dict[str, Any]

VALIDATIONS = "x-kubernetes-validations"
KEYS_KEY = "x-ember-keys"

# Kubernetes has no references, so a model that holds itself (Configuration) ends at this depth.
_MAX_RECURSION = 2

# What Kubernetes understands of a JSON schema, in the order in which it is written.
_KEPT = (
    "type", "description", "enum", "default", "format", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties", "required", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", VALIDATIONS, UNSUPPORTED_KEY,
)  # fmt: skip


def expand(model: type[BaseModel]) -> Schema:
    """Return the model's schema without references, ``anyOf`` and titles; marks are kept."""
    root = model.model_json_schema(by_alias=True)
    expanded = _expand(root, root.get("$defs", {}), ())
    if expanded is None:
        raise ValueError(f"{model.__name__} has no schema")
    return expanded


def _expand(node: Mapping[str, Any], definitions: Mapping[str, Any], within: tuple[str, ...]) -> Schema | None:
    """Expand one node; None if the recursion ends here."""
    node = _without_null(node)
    if reference := node.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        if within.count(name) == _MAX_RECURSION:
            return None
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _expand({**definitions[name], **beside}, definitions, (*within, name))
    result: Schema = {key: node[key] for key in _KEPT if node.get(key) is not None}
    if "const" in node:
        result["enum"] = [node["const"]]
    if "description" in result:
        result["description"] = " ".join(result["description"].replace("``", "`").split())
    if "items" in node:
        items = _expand(node["items"], definitions, within)
        if items is None:
            return None
        result["items"] = items
    if "properties" in node:
        parts = {name: _expand(part, definitions, within) for name, part in node["properties"].items()}
        result["properties"] = {name: part for name, part in parts.items() if part is not None}
    elif node.get("type") == "object":
        result |= _expand_map(node, definitions, within)
    return result


def _without_null(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn pydantic's ``anyOf: [X, null]`` into X: in Kubernetes a field that is not set is left out."""
    if "anyOf" not in node:
        return node
    options = [option for option in node["anyOf"] if option.get("type") != "null"]
    if len(options) != 1:
        raise ValueError(f"Kubernetes takes no unions: {node['anyOf']}")
    return {**options[0], **{key: value for key, value in node.items() if key != "anyOf"}}


def _expand_map(node: Mapping[str, Any], definitions: Mapping[str, Any], within: tuple[str, ...]) -> Schema:
    """Expand a map: pydantic writes rules for keys as ``propertyNames`` and ``patternProperties``."""
    keys: Schema = {}
    if "propertyNames" in node:
        keys |= _expand(node["propertyNames"], definitions, within) or {}
    values = node.get("additionalProperties", {})
    for pattern, part in node.get("patternProperties", {}).items():
        keys["pattern"] = pattern
        values = part
    # True stands for "anything": data that is Kubernetes' own (tolerations).
    result: Schema = {} if values is True else {"additionalProperties": _expand(values, definitions, within)}
    return result | ({KEYS_KEY: keys} if keys else {})


def structural(node: Schema, defaults: bool = True) -> Schema:
    """Turn an expanded schema into a structural one: marks become CEL rules. ``defaults`` False leaves them out."""
    result: Schema = {}
    for key, value in node.items():
        match key:
            case "properties":
                result[key] = {name: structural(part, defaults) for name, part in value.items()}
            case "items" | "additionalProperties":
                result[key] = structural(value, defaults)
            case "default":
                if defaults:
                    result[key] = value
            case _ if key not in (UNSUPPORTED_KEY, KEYS_KEY, VALIDATIONS):
                result[key] = value
    rules = [*node.get(VALIDATIONS, []), *_key_rules(node.get(KEYS_KEY, {})), *_support_rules(node)]
    return result | ({VALIDATIONS: rules} if rules else {})


def _support_rules(node: Schema) -> list[Schema]:
    """Return the rules which refuse fields without an effect."""
    rules = []
    for name, part in node.get("properties", {}).items():
        if UNSUPPORTED_KEY not in part:
            continue
        values = part[UNSUPPORTED_KEY]["values"]
        rule = f"!has(self.{name})"
        reason = "is not supported yet"
        if values:
            rule += f" || self.{name} in [{', '.join(_literal(value) for value in values)}]"
            reason = OnlySupported(tuple(values)).reason
        rules.append(
            {"rule": rule, "message": f"{name} {reason}", "fieldPath": f".{name}", "reason": "FieldValueForbidden"}
        )
    return rules


def _key_rules(keys: Schema) -> list[Schema]:
    """Return the rules for the keys of a map."""
    rules = []
    if "enum" in keys:
        names = ", ".join(keys["enum"])
        rules.append(
            {
                "rule": f"self.all(key, key in [{', '.join(_literal(name) for name in keys['enum'])}])",
                "message": f"keys must be one of {names}",
            }
        )
    if "pattern" in keys:
        # Raw, so that a backslash is the pattern's own.
        rule = {"rule": f"self.all(key, key.matches(r'{keys['pattern']}'))", "message": f"keys match {keys['pattern']}"}
        rules.append(rule)
    if "maxLength" in keys:
        longest = keys["maxLength"]
        rules.append(
            {"rule": f"self.all(key, size(key) <= {longest})", "message": f"keys have at most {longest} characters"}
        )
    return rules


def _literal(value: str | int | bool) -> str:
    return f"'{value}'" if isinstance(value, str) else as_text(value)
