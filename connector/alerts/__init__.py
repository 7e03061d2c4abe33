"""Alerts: `watch` finds what people must know and has it sent, `wording` says it. Neither touches a delivery."""
