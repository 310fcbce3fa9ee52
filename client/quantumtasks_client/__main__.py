"""`python -m quantumtasks_client` is `qtasks`."""

from quantumtasks_client.cli import main

if __name__ == "__main__":
    main()
