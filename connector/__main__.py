"""`python -m connector`, where the package is not installed: a Heroku slug."""

from connector.cli import main

main()
