"""`ampcli surrogate`: does a surrogate pay for a process, which one, trained on how many events?"""
