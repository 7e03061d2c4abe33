"""`[users]`: who may view the dashboard and who may act there. It holds password hashes, not passwords."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from marshmallow import ValidationError
from werkzeug.security import check_password_hash

from connector.settings.errors import ConfigErrors, validate_table
from mappings import setting_fields as fields
from mappings.setting_fields import OneOf
from mappings.settings import SettingsSchema

ROLES = ("viewer", "operator")
#: The name of the user who signs in with ADMIN_TOKEN.
ADMIN = "admin"
#: What stands before the name of an API token where the author of an action is recorded.
TOKEN_ACTOR = "token:"  # noqa: S105  # a name
#: The format of `werkzeug.security.generate_password_hash`: method, salt, hash.
MIN_SALT_LENGTH, MIN_DIGEST_LENGTH = 8, 64
PASSWORD_HASH = re.compile(r"(scrypt|pbkdf2)(:[a-z0-9]+)+\$[^$\s]+\$[0-9a-f]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the dashboard. A viewer may only read; an operator may also act."""

    name: str
    password_hash: str = field(repr=False)
    role: Literal["viewer", "operator"] = "viewer"


class PasswordHash(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, *args, **kwargs)
        if not PASSWORD_HASH.fullmatch(text):
            raise ValidationError("must be the output of `connector user hash`, not the password itself.")
        if not is_strong(text):
            raise ValidationError("is quick to guess; make a new one with `connector user hash`.")
        if check_password_hash(text, ""):
            raise ValidationError("is of an empty password.")
        return text


def is_strong(password_hash: str) -> bool:
    """Whether each guess takes about as long as OWASP asks for, and no sign-in takes minutes.

    https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html, read 2026-11-30: 600,000 rounds of
    PBKDF2 with SHA-256, 210,000 with SHA-512; scrypt with N = 2^14 to 2^17 and r = 8.
    """
    method, salt, digest = password_hash.split("$")
    match method.split(":"):
        case ["scrypt", n, r, p] if n.isdecimal() and r.isdecimal() and p.isdecimal():
            is_costly = 2**14 <= int(n) <= 2**17 and 8 <= int(r) <= 16 and 1 <= int(p) <= 16
        case ["pbkdf2", "sha256" | "sha512" as digest_name, rounds] if rounds.isdecimal():
            is_costly = {"sha256": 600_000, "sha512": 210_000}[digest_name] <= int(rounds) <= 20_000_000
        case _:
            is_costly = False
    return is_costly and len(salt) >= MIN_SALT_LENGTH and len(digest) >= MIN_DIGEST_LENGTH


def validate_user_name(name: str) -> None:
    if not name.isprintable() or name != name.strip() or not 1 <= len(name) <= 64:
        raise ValidationError("the table's name must be 1 to 64 printable characters.")
    if name == ADMIN:
        raise ValidationError(f"“{ADMIN}” is reserved for signing in with ADMIN_TOKEN; choose another name.")
    if name.startswith(TOKEN_ACTOR):
        raise ValidationError(f"“{TOKEN_ACTOR}” is how the API's tokens are recorded; choose another name.")


class UserSchema(SettingsSchema):
    model = User

    name = fields.String(required=True, validate=validate_user_name)
    password_hash = PasswordHash(required=True)
    role = fields.String(validate=OneOf(ROLES))


def build_users(tables: Mapping[str, Any], errors: ConfigErrors) -> dict[str, User]:
    """Return the users by name. Adds the errors of their tables."""
    users = {
        name: validate_table(UserSchema(), {**table, "name": name}, ("users", name), errors)
        for name, table in tables.items()
    }
    return users
