"""``python -m cds_service``."""

from cds_service.commands.main import main

if __name__ == "__main__":
    main()
