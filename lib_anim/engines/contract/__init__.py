"""The engine contract: requests, capabilities and the checks every engine shares."""
