"""Self-contained pages: no request leaves them, no script of anybody else runs in them."""

from partner_mesh.report.html.pages import check_page, diff_page, page

__all__ = ["check_page", "diff_page", "page"]
