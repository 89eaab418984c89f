"""A trained network as an artefact that needs no tlkit."""
