"""How a run is shown: terminal, summary, files, page with plots."""
