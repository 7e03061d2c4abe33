"""The dashboard: pages on which people see what becomes of orders, and steer it.

It is an application of its own behind `door`, so that webhooks pay nothing for it. Imports nothing by itself.
"""
