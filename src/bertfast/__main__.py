"""`python -m bertfast` is the `bertfast` command."""

from bertfast.cli import main

if __name__ == "__main__":
    main()
