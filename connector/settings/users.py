"""`[users]`: who may see the dashboard, and who may act there. It holds no password, only what proves one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf

from connector.settings.environment import Environment
from connector.settings.errors import ConfigErrors, validate_table
from mappings.settings import SettingsSchema

ROLES = ("viewer", "operator")
#: Who signs in with ADMIN_TOKEN.
ADMIN = "admin"
#: As `werkzeug.security.generate_password_hash` writes it: method, salt, hash.
PASSWORD_HASH = re.compile(r"(scrypt|pbkdf2)(:[a-z0-9]+)+\$[^$\s]+\$[0-9a-f]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person; an operator may do what a viewer may only see."""

    name: str
    password_hash: str = field(repr=False)
    role: Literal["viewer", "operator"] = "viewer"


class PasswordHash(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, *args, **kwargs)
        if not PASSWORD_HASH.fullmatch(text):
            raise ValidationError("must be what `connector user hash` prints, not the password itself.")
        return text


def validate_user_name(name: str) -> None:
    if not name.isprintable() or name != name.strip() or not 1 <= len(name) <= 64:
        raise ValidationError("the table's name must be 1 to 64 characters that can be printed.")
    if name == ADMIN:
        raise ValidationError(f"“{ADMIN}” is who signs in with ADMIN_TOKEN: take another name.")


class UserSchema(SettingsSchema):
    model = User

    name = fields.String(required=True, validate=validate_user_name)
    password_hash = PasswordHash(required=True)
    role = fields.String(validate=OneOf(ROLES))


def build_users(tables: Mapping[str, Any], environment: Environment, errors: ConfigErrors) -> dict[str, User]:
    """Return the people of the tables, by name."""
    users = {
        name: validate_table(UserSchema(), {**table, "name": name}, ("users", name), errors)
        for name, table in tables.items()
    }
    if users and not (environment.secret_key or environment.admin_token):
        errors.add(("users",), "need SECRET_KEY or ADMIN_TOKEN in the environment: it signs their sessions.")
    return users
