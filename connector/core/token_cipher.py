"""Encrypts the access tokens in the database, with the keys of `TOKEN_KEYS`.

Fernet: AES-128-CBC with an HMAC-SHA256, and a key of 256 bits. https://cryptography.io/en/latest/fernet/, read
2026-11-30.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class UndecryptableError(Exception):
    """No key decrypts it, or it belongs to something else."""


class TokenCipher:
    """Encrypts with the first key, and decrypts with each."""

    def __init__(self, keys: Sequence[str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # takes 50 ms, and most installations have no keys

        self._newest = MultiFernet([Fernet(keys[0])])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, token: str, *, owner: str) -> str:
        """Encrypt a token, with what it belongs to, so that a row that was moved or has become wrong is not used."""
        return self._newest.encrypt(json.dumps([owner, token]).encode()).decode()

    def decrypt(self, encrypted: str, *, owner: str) -> str:
        """Raises `UndecryptableError`."""
        return self._decrypt(self._all, encrypted, owner)

    def is_current(self, encrypted: str, *, owner: str) -> bool:
        """Whether it was encrypted with the first key."""
        try:
            self._decrypt(self._newest, encrypted, owner)
        except UndecryptableError:
            return False
        return True

    def _decrypt(self, fernet: "MultiFernet", encrypted: str, owner: str) -> str:
        from cryptography.fernet import InvalidToken

        try:
            encrypted_owner, token = json.loads(fernet.decrypt(encrypted.encode()))
        except (InvalidToken, ValueError, TypeError) as error:
            raise UndecryptableError from error
        if encrypted_owner != owner or not isinstance(token, str):
            raise UndecryptableError
        return token
