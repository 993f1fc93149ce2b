"""Files of weights: what they are, in one sentence, and the networks that they hold."""
