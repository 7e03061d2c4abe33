"""Problems in the browser's language. They are kept in English: a label, a fault, and what would be right."""

#: Parts of an address for which a store may say where its customers write them.
IN_ADDRESS = ("neighbourhood", "street number", "interior number", "address")


def is_about_address(problem: str) -> bool:
    trail, _, _ = problem.partition(" is missing")
    return problem.startswith("Shipping address") and trail.endswith(IN_ADDRESS)


def say_problem(problem: str) -> str:
    return problem
