"""``python -m cds_service``."""

from cds_service.commands.main import run

if __name__ == "__main__":
    run()
