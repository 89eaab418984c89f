"""STAGE 3: names and sizes in, a keras.Model out. Knows neither files nor config."""
