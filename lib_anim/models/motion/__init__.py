"""Motion modules and motion LoRAs of every layout."""
