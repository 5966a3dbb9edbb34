"""A plausible website's visitors: planned visits, as history for the writer or as live traffic.

Owns the model of who comes, when, from where and what they look at. It makes traffic up and says
so: nothing here reads or resembles a real person's visit. Must not know which demo clients exist
(agency.demo describes those) nor how hits are stored (tracking.writer does that).
"""
