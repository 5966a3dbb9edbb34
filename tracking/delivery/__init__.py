"""What leaves the report: shared links, scheduled mails, alerts, webhooks, spreadsheets.

Decides what is due and keeps account of each sending. It renders nothing and sends no mail:
templates and the mail are the agency's (`agency/tasks.py`). Functions are called inside
`tenants.schemas.entered(client)` unless they say otherwise.
"""
