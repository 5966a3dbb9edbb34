"""The front: the Django project, the dashboards of staff and clients, the admin site, the jobs.

Joins the lower packages; nothing below imports it.
"""
