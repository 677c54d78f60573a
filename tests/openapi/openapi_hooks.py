"""Hooks of schemathesis: see schemathesis.toml."""
import re

import schemathesis


def integers(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [integers(item) for item in value]
    if isinstance(value, dict):
        return {key: integers(item) for key, item in value.items()}
    return value


@schemathesis.hook
def map_body(context, body):
    return integers(body)


def is_short(milliseconds):
    return re.fullmatch(r"\d{1,5}", str(milliseconds)) and int(milliseconds) > 0


@schemathesis.hook
def filter_case(context, case):
    headers = case.headers or {}
    return "x-schemathesis-unknown-property" not in headers and not is_short(headers.get("x-request-timeout-ms", ""))
