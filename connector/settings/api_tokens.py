"""`[tokens]`: programs that call the API, each with a token and a role. It holds digests, not tokens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, Literal

from marshmallow import ValidationError

from connector.settings.errors import ConfigErrors, validate_table
from connector.settings.users import ADMIN, ROLES, TOKEN_ACTOR
from mappings import setting_fields as fields
from mappings.setting_fields import OneOf
from mappings.settings import SettingsSchema

#: A random token of 32 characters cannot be guessed, so one round of SHA-256 protects it as well as many would.
TOKEN_HASH = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token of the API. A viewer's may only read; an operator's may also act."""

    name: str
    digest: str = field(repr=False)  # SHA-256 of the token, in hexadecimal
    role: Literal["viewer", "operator"] = "viewer"
    expires: datetime | None = None

    @property
    def actor(self) -> str:
        """The author of what is done with it, as recorded."""
        return f"{TOKEN_ACTOR}{self.name}"

    def is_expired(self, now: datetime) -> bool:
        return self.expires is not None and now >= self.expires


def build_admin_token(text: str) -> ApiToken:
    """Return `ADMIN_TOKEN` as a token with every right."""
    return ApiToken(name=ADMIN, digest=digest_token(text), role="operator")


def digest_token(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def format_hash(token: str) -> str:
    """Return what `hash` of a token's table must be."""
    return f"sha256:{digest_token(token)}"


class TokenHash(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, *args, **kwargs)
        match = TOKEN_HASH.fullmatch(text)
        if match is None:
            raise ValidationError("must be the hash that `connector token --name` prints, not the token itself.")
        if match[1] == digest_token(""):
            raise ValidationError("is of an empty token.")
        return match[1]


class Expiry(fields.Instant):
    """A date and time with an offset, or a date, which means the beginning of that day in UTC."""

    default_error_messages = {"invalid": "must be a date, such as 2027-06-30, or a date and time with an offset."}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        return super()._deserialize(value, *args, **kwargs)


def validate_token_name(name: str) -> None:
    if not TOKEN_NAME.fullmatch(name):
        raise ValidationError("its name must be 1 to 64 ASCII letters, digits, dots, hyphens and underscores.")
    if name == ADMIN:
        raise ValidationError(f"“{ADMIN}” is the name of ADMIN_TOKEN; choose another name.")


class ApiTokenSchema(SettingsSchema):
    model = ApiToken

    name = fields.String(required=True, validate=validate_token_name)
    digest = TokenHash(required=True, data_key="hash")
    role = fields.String(validate=OneOf(ROLES))
    expires = Expiry()


def build_api_tokens(tables: Mapping[str, Any], errors: ConfigErrors) -> tuple[ApiToken, ...]:
    """Return the tokens. Adds the errors of their tables, and one for each hash that two of them share."""
    tokens: list[ApiToken] = []
    name_by_digest: dict[str, str] = {}
    for name, table in tables.items():
        token = validate_table(ApiTokenSchema(), {**table, "name": name}, ("tokens", name), errors)
        if token is None:
            continue
        if (other := name_by_digest.setdefault(token.digest, name)) != name:
            errors.add(("tokens", name, "hash"), f"is also that of tokens.{other}: each needs a token of its own.")
        tokens.append(token)
    return tuple(tokens)
