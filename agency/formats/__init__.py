"""How dates are written where a template names no form of its own: in the admin."""
